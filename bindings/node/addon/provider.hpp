// NativeProvider and NativeProviderFile: the library's own file systems, as JavaScript has
// them, so that the host's side reads and writes what the guest sees.
//
// Those of a MemoryProvider return at once, those of a directory of this machine are
// promises.
#pragma once

#include <napi.h>

#include <functional>
#include <memory>
#include <utility>

#include "environment.hpp"
#include "errors.hpp"
#include "gondolin/vfs.hpp"
#include "promise.hpp"

namespace gondolin::node {

// Where a call is done: at once, here, since it takes no time, or on a thread of the pool.
enum class Where { kHere, kPool };

// What calls a provider or a file of one, and where.
template <typename T>
class Served {
 public:
  Served(std::shared_ptr<WorkPool> pool, Where where, std::shared_ptr<T> thing)
      : pool_(std::move(pool)), where_(where), thing_(std::move(thing)) {}
  Served(const Served&) = delete;
  Served& operator=(const Served&) = delete;
  ~Served() { release(); }

  [[nodiscard]] Where where() const { return where_; }
  [[nodiscard]] const std::shared_ptr<T>& thing() const { return thing_; }

  // What `to_js` makes of what `work` returns, or a promise of it.
  template <typename R>
  Napi::Value call(Napi::Env env, std::function<R(T&)> work,
                   std::function<Napi::Value(Napi::Env, R)> to_js) const {
    return guarded(env, [&]() -> Napi::Value {
      if (!thing_) vfs_fail(EBADF);
      if (where_ == Where::kHere) return to_js(env, work(*thing_));
      return promise_of<R>(
          env, [thing = thing_, work = std::move(work)] { return work(*thing); }, std::move(to_js));
    });
  }
  // The same for what gives nothing.
  Napi::Value call(Napi::Env env, std::function<void(T&)> work) const {
    return call<Nothing>(
        env,
        [work = std::move(work)](T& thing) {
          work(thing);
          return Nothing{};
        },
        [](Napi::Env js, Nothing) { return js.Undefined(); });
  }

  // Lets go of it; what is called later fails.
  void release() {
    if (thing_) pool_->dispose(std::exchange(thing_, nullptr));
  }

 private:
  std::shared_ptr<WorkPool> pool_;
  Where where_;
  std::shared_ptr<T> thing_;
};

class ProviderObject final : public Napi::ObjectWrap<ProviderObject> {
 public:
  // Defines this class and that of open files.
  static void define(Napi::Env env);

  explicit ProviderObject(const Napi::CallbackInfo& info);

  // What `value`, a NativeProvider, stands for.
  [[nodiscard]] static std::shared_ptr<VfsProvider> provider_of(Napi::Value value);

 private:
  // See NativeProvider in src/native.ts.
  Napi::Value attributes(const Napi::CallbackInfo& info);
  Napi::Value list(const Napi::CallbackInfo& info);
  Napi::Value open(const Napi::CallbackInfo& info);
  Napi::Value create(const Napi::CallbackInfo& info);
  Napi::Value make_directory(const Napi::CallbackInfo& info);
  Napi::Value remove_file(const Napi::CallbackInfo& info);
  Napi::Value remove_directory(const Napi::CallbackInfo& info);
  Napi::Value rename(const Napi::CallbackInfo& info);
  Napi::Value change(const Napi::CallbackInfo& info);
  Napi::Value read_link(const Napi::CallbackInfo& info);
  Napi::Value make_link(const Napi::CallbackInfo& info);
  Napi::Value usage(const Napi::CallbackInfo& info);

  Served<VfsProvider> served_;
};

// Adds memoryProvider() and hostDirectory() to the addon's exports.
void export_providers(Napi::Env env, Napi::Object exports);

}  // namespace gondolin::node
