#include "cancellation.hpp"

#include "environment.hpp"

namespace gondolin::node {
namespace {

using Shared = std::shared_ptr<std::stop_source>;

Napi::Value new_cancellation(const Napi::CallbackInfo& info) {
  auto source = std::make_unique<Shared>(std::make_shared<std::stop_source>());
  Environment::of(info.Env()).stops_with_us(*source);
  auto external = Napi::External<Shared>::New(
      info.Env(), source.get(),
      [](Napi::Env, Shared* mine) { const std::unique_ptr<Shared> gone(mine); });
  source.release();
  return external;
}

// On the pool: whoever is told of the stop may take its time.
void cancel(const Napi::CallbackInfo& info) {
  Environment::of(info.Env()).pool()->run([source = stop_source_of(info[0])] {
    source->request_stop();
  });
}

}  // namespace

Shared stop_source_of(Napi::Value value) {
  return *value.As<Napi::External<Shared>>().Data();
}

void export_cancellation(Napi::Env env, Napi::Object exports) {
  exports.Set("newCancellation", Napi::Function::New(env, new_cancellation));
  exports.Set("cancel", Napi::Function::New(env, cancel));
}

}  // namespace gondolin::node
