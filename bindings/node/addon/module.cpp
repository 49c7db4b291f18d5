// The addon of the npm package: Node-API on the public C++ API of the library.
//
// JavaScript's half is src/, which makes of this the package's interface; what is here
// is as narrow as it can be and for that half alone.
//
// Every environment, the main one and each worker's, loads it for itself and has an
// Environment of its own; there is no other state. No function here waits for anything.

#include <napi.h>

#include <memory>

#include "cancellation.hpp"
#include "environment.hpp"
#include "fs.hpp"
#include "gateway.hpp"
#include "hooks.hpp"
#include "js_provider.hpp"
#include "process.hpp"
#include "provider.hpp"
#include "routes.hpp"
#include "vm.hpp"

namespace gondolin::node {
namespace {

// initialize(ErrorClass): the class of all errors, made as `new ErrorClass(code, message,
// errno)`.
void initialize(const Napi::CallbackInfo& info) {
  Environment::of(info.Env()).error_class = Napi::Persistent(info[0].As<Napi::Function>());
}

Napi::Object load(Napi::Env env, Napi::Object exports) {
  auto environment = std::make_unique<Environment>(env);
  env.SetInstanceData(environment.get());
  environment.release();
  GatewayObject::define(env);
  VmObject::define(env);
  ProcessObject::define(env);
  FsObject::define(env);
  ProviderObject::define(env);
  export_replies(env, exports);
  export_vfs_replies(env, exports);
  export_providers(env, exports);
  export_cancellation(env, exports);
  exports.Set("initialize", Napi::Function::New(env, initialize));
  exports.Set("openGateway", Napi::Function::New(env, open_gateway_js));
  exports.Set("createVm", Napi::Function::New(env, create_vm));
  exports.Set("normalizeRoutes", Napi::Function::New(env, normalize_routes_js));
  return exports;
}

}  // namespace
}  // namespace gondolin::node

using gondolin::node::load;

NODE_API_MODULE(gondolin, load)
