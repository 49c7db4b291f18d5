// A VfsProvider that is a function of JavaScript's.
//
// A mount's thread posts each call to the JavaScript thread and waits there for the answer,
// which comes back through a reply: an opaque value that JavaScript hands to vfsAnswer()
// or vfsFail(), at once or when a promise settles. A reply that JavaScript loses is a
// failure (EIO) once it is collected, and so is every call that the environment's end or
// abandon() leaves open: the thread never waits for a JavaScript that is not there.
// JavaScript waits for nothing. src/vfs-calls.ts is the other half.
//
// Open files are numbers there, which that half gives out.
#pragma once

#include <napi.h>

#include <exception>
#include <functional>
#include <memory>
#include <mutex>
#include <vector>

#include "environment.hpp"
#include "gondolin/vfs.hpp"

namespace gondolin::node {

class VfsQuestion;

// The calls of one provider and of its files. Any thread may use it, but the JavaScript
// thread may not ask.
class JsCalls {
 public:
  // Makes the arguments, on the JavaScript thread.
  using Arguments = std::function<std::vector<napi_value>(Napi::Env)>;
  // Reads the answer, there as well; what it throws is thrown to who asked.
  using Read = std::function<void(Napi::Value)>;

  explicit JsCalls(JsFunction function) : function_(std::move(function)) {}

  // Calls the function with (operation, [arguments], reply) and returns what `read` makes
  // of the answer.
  template <typename T>
  T ask(const char* operation, Arguments arguments, std::function<T(Napi::Value)> read) {
    // Shared, since who asks may be gone by the time the answer comes.
    auto result = std::make_shared<T>();
    ask_for(operation, std::move(arguments),
            [result, read = std::move(read)](Napi::Value value) { *result = read(value); });
    return std::move(*result);
  }
  // The same for one that gives nothing.
  void ask(const char* operation, Arguments arguments) {
    ask_for(operation, std::move(arguments), [](Napi::Value) {});
  }
  // The same without waiting.
  void tell(const char* operation, Arguments arguments);

  // Fails what is in progress and all that follows.
  void abandon();

 private:
  void ask_for(const char* operation, Arguments arguments, Read read);
  void call(const char* operation, Arguments arguments,
            std::shared_ptr<VfsQuestion> question) const;

  JsFunction function_;
  std::mutex mutex_;
  std::vector<std::weak_ptr<VfsQuestion>> open_;
  bool abandoned_ = false;
};

class JsProvider final : public VfsProvider {
 public:
  explicit JsProvider(JsFunction function)
      : calls_(std::make_shared<JsCalls>(std::move(function))) {}

  // From any thread: the provider is done with, and nobody waits for it any more.
  void abandon() { calls_->abandon(); }

  // --- as VfsProvider says ---
  VfsAttributes attributes(const std::string& path) override;
  std::vector<FileEntry> list(const std::string& path) override;
  std::unique_ptr<VfsFile> open(const std::string& path, const VfsOpen& how) override;
  std::unique_ptr<VfsFile> create(const std::string& path, std::uint32_t permissions,
                                  const VfsOpen& how) override;
  void make_directory(const std::string& path, std::uint32_t permissions) override;
  void remove_file(const std::string& path) override;
  void remove_directory(const std::string& path) override;
  void rename(const std::string& from, const std::string& to, VfsRename mode) override;
  void change(const std::string& path, const VfsChanges& changes) override;
  std::string read_link(const std::string& path) override;
  void make_link(const std::string& path, const std::string& target) override;
  VfsUsage usage() override;

 private:
  std::shared_ptr<JsCalls> calls_;
};

// Adds vfsAnswer() and vfsFail() to the addon's exports.
void export_vfs_replies(Napi::Env env, Napi::Object exports);

}  // namespace gondolin::node
