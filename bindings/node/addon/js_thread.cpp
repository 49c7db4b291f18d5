// JsThread on a thread-safe function of Node-API, which is referenced, as an open socket
// is, only while somebody holds it.

#include "js_thread.hpp"

#include <memory>
#include <utility>

namespace gondolin::node {

JsThread::JsThread(Napi::Env env) : env_(env) {
  const Napi::String name = Napi::String::New(env, "gondolin");
  const napi_status status = napi_create_threadsafe_function(
      env, nullptr, nullptr, name, 0, 1, nullptr, nullptr, nullptr, &JsThread::run, &function_);
  NAPI_THROW_IF_FAILED_VOID(env, status);
  napi_unref_threadsafe_function(env, function_);
}

void JsThread::run(napi_env env, napi_value, void*, void* data) {
  const std::unique_ptr<Task> task(static_cast<Task*>(data));
  if (env == nullptr) return;  // the environment ends
  try {
    Napi::HandleScope scope(env);
    (*task)(Napi::Env(env));
  } catch (const Napi::Error& error) {
    // What a callback of the user threw: an uncaught exception, as from a timer.
    error.ThrowAsJavaScriptException();
  }
}

void JsThread::post(Task task) {
  auto owned = std::make_unique<Task>(std::move(task));
  // Destroyed last: a task that is dropped may have more to do than the lock allows.
  std::scoped_lock lock(mutex_);
  if (function_ == nullptr) return;
  const napi_status status =
      napi_call_threadsafe_function(function_, owned.get(), napi_tsfn_nonblocking);
  if (status == napi_ok) owned.release();
}

void JsThread::hold() {
  if (holds_++ == 0 && function_ != nullptr) napi_ref_threadsafe_function(env_, function_);
}

void JsThread::release() {
  if (--holds_ == 0 && function_ != nullptr) napi_unref_threadsafe_function(env_, function_);
}

void JsThread::close() {
  std::scoped_lock lock(mutex_);
  if (function_ == nullptr) return;
  napi_release_threadsafe_function(std::exchange(function_, nullptr), napi_tsfn_abort);
}

}  // namespace gondolin::node
