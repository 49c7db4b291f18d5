// What the addon keeps for one Node environment, the main one or a worker's: its way back
// to JavaScript, its threads, what is open in it, and the functions that are called from
// there. Ends all of it with the environment, however that ends.
//
// Everything here is for the JavaScript thread, except where it says otherwise.
#pragma once

#include <napi.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <stop_token>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <vector>

#include "js_thread.hpp"
#include "work_pool.hpp"

namespace gondolin::node {

// Something open that ends with the environment at the latest: a VM, a gateway.
class Closable {
 public:
  virtual ~Closable() = default;
  // On a thread of the pool. Blocks until it is closed; may be called again.
  virtual void close() = 0;
};

using FunctionId = std::uint64_t;

class Environment {
 public:
  explicit Environment(Napi::Env env);
  // Ends what is open, which takes a second at most.
  ~Environment();
  Environment(const Environment&) = delete;
  Environment& operator=(const Environment&) = delete;

  [[nodiscard]] static Environment& of(Napi::Env env) {
    return *env.GetInstanceData<Environment>();
  }

  [[nodiscard]] const std::shared_ptr<JsThread>& js() const { return js_; }
  [[nodiscard]] const std::shared_ptr<WorkPool>& pool() const { return pool_; }

  // What is open keeps the process running, and is never closed because JavaScript has
  // lost sight of it, like a server of Node's.
  void opened(std::shared_ptr<Closable> thing);
  // Does nothing for what is not open.
  void closed(const std::shared_ptr<Closable>& thing);

  // Requests a stop of `source` when the environment ends, until it is destroyed.
  void stops_with_us(const std::shared_ptr<std::stop_source>& source);

  // Functions that the library's threads call, by way of a JsFunction.
  [[nodiscard]] FunctionId keep(Napi::Function function);
  void forget(const std::vector<FunctionId>& functions);
  // The function, or an empty value when it was forgotten.
  [[nodiscard]] Napi::Function function(FunctionId id) const;

  // The classes that JavaScript makes instances of.
  Napi::FunctionReference error_class;
  Napi::FunctionReference gateway_class;
  Napi::FunctionReference vm_class;
  Napi::FunctionReference process_class;
  Napi::FunctionReference fs_class;
  Napi::FunctionReference reader_class;
  Napi::FunctionReference writer_class;
  Napi::FunctionReference provider_class;
  Napi::FunctionReference provider_file_class;

 private:
  static void end(void* self);
  void shut_down();

  Napi::Env env_;
  std::shared_ptr<JsThread> js_;
  std::shared_ptr<WorkPool> pool_ = std::make_shared<WorkPool>();
  std::unordered_set<std::shared_ptr<Closable>> open_;
  std::vector<std::weak_ptr<std::stop_source>> stops_;
  std::unordered_map<FunctionId, Napi::FunctionReference> functions_;
  FunctionId next_function_ = 1;
  bool ended_ = false;
};

// A JavaScript function for use on any thread. A call does not wait, and does nothing
// after the function was forgotten.
class JsFunction {
 public:
  // Makes the arguments, on the JavaScript thread.
  using Arguments = std::function<std::vector<napi_value>(Napi::Env)>;

  JsFunction(std::shared_ptr<JsThread> js, FunctionId id) : js_(std::move(js)), id_(id) {}

  void call(Arguments arguments) const;

 private:
  std::shared_ptr<JsThread> js_;
  FunctionId id_;
};

// Functions that are kept for one object: forgotten with this, unless they were taken.
class KeptFunctions {
 public:
  explicit KeptFunctions(Environment& environment) : environment_(environment) {}
  ~KeptFunctions() { environment_.forget(functions_); }
  KeptFunctions(const KeptFunctions&) = delete;
  KeptFunctions& operator=(const KeptFunctions&) = delete;

  [[nodiscard]] JsFunction keep(Napi::Function function) {
    functions_.push_back(environment_.keep(function));
    return {environment_.js(), functions_.back()};
  }
  // Whoever takes them forgets them.
  [[nodiscard]] std::vector<FunctionId> take() { return std::exchange(functions_, {}); }

 private:
  Environment& environment_;
  std::vector<FunctionId> functions_;
};

}  // namespace gondolin::node
