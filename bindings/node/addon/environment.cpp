#include "environment.hpp"

#include <algorithm>

namespace gondolin::node {

Environment::Environment(Napi::Env env) : env_(env), js_(std::make_shared<JsThread>(env)) {
  // After the thread-safe function's own hook, and so run before it.
  napi_add_env_cleanup_hook(env, &Environment::end, this);
}

Environment::~Environment() {
  napi_remove_env_cleanup_hook(env_, &Environment::end, this);
  shut_down();
}

void Environment::end(void* self) {
  static_cast<Environment*>(self)->shut_down();
}

void Environment::shut_down() {
  if (std::exchange(ended_, true)) return;
  js_->close();
  for (const auto& weak : stops_) {
    if (auto source = weak.lock()) source->request_stop();
  }
  for (const auto& thing : std::exchange(open_, {})) {
    pool_->run([thing] { thing->close(); });
  }
  pool_->close();
}

void Environment::opened(std::shared_ptr<Closable> thing) {
  open_.insert(std::move(thing));
  js_->hold();
}

void Environment::closed(const std::shared_ptr<Closable>& thing) {
  if (open_.erase(thing) != 0) js_->release();
}

void Environment::stops_with_us(const std::shared_ptr<std::stop_source>& source) {
  std::erase_if(stops_, [](const auto& weak) { return weak.expired(); });
  stops_.push_back(source);
}

FunctionId Environment::keep(Napi::Function function) {
  const FunctionId id = next_function_++;
  functions_.emplace(id, Napi::Persistent(function));
  return id;
}

void Environment::forget(const std::vector<FunctionId>& functions) {
  for (FunctionId id : functions)
    functions_.erase(id);
}

Napi::Function Environment::function(FunctionId id) const {
  auto found = functions_.find(id);
  return found == functions_.end() ? Napi::Function() : found->second.Value();
}

void JsFunction::call(Arguments arguments) const {
  js_->post([id = id_, arguments = std::move(arguments)](Napi::Env env) {
    Napi::Function function = Environment::of(env).function(id);
    if (!function.IsEmpty()) function.Call(arguments(env));
  });
}

}  // namespace gondolin::node
