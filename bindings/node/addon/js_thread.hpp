// The thread that runs JavaScript: how the library's threads reach it, and what keeps
// its process running.
//
// One JsThread belongs to one Node environment, the main one or a worker's. Tasks are
// posted to it from any thread, and dropped without a word once the environment has
// ended: whatever a task holds must be fine with being destroyed instead of used.
#pragma once

#include <napi.h>

#include <cstddef>
#include <functional>
#include <mutex>

namespace gondolin::node {

class JsThread {
 public:
  using Task = std::function<void(Napi::Env)>;

  explicit JsThread(Napi::Env env);
  JsThread(const JsThread&) = delete;
  JsThread& operator=(const JsThread&) = delete;

  // From any thread: calls `task` on the JavaScript thread, later, in the order of the
  // calls. It is destroyed on the JavaScript thread, or here when that has ended.
  void post(Task task);

  // --- on the JavaScript thread ---------------------------------------------
  // The event loop goes on while there are more calls of hold() than of release().
  void hold();
  void release();
  // The environment ends: nothing runs any more.
  void close();

 private:
  static void run(napi_env env, napi_value function, void* context, void* data);

  napi_env env_;
  std::mutex mutex_;
  napi_threadsafe_function function_ = nullptr;  // null once closed
  std::size_t holds_ = 0;
};

}  // namespace gondolin::node
