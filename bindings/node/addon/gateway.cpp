#include "gateway.hpp"

#include <string>

#include "debug_log.hpp"
#include "gondolin/gateway.hpp"
#include "ingress_options.hpp"
#include "promise.hpp"
#include "values.hpp"

namespace gondolin::node {

void GatewayObject::define(Napi::Env env) {
  Napi::Function definition = DefineClass(
      env, "NativeGateway",
      {InstanceAccessor<&GatewayObject::host>("host"),
       InstanceAccessor<&GatewayObject::port>("port"), InstanceAccessor<&GatewayObject::url>("url"),
       InstanceAccessor<&GatewayObject::bind_warning>("bindWarning"),
       InstanceMethod("routes", &GatewayObject::routes),
       InstanceMethod("setRoutes", &GatewayObject::set_routes),
       InstanceMethod("close", &GatewayObject::close)});
  Environment::of(env).gateway_class = Napi::Persistent(definition);
}

Napi::Promise GatewayObject::open(Napi::Env env, std::function<Ingress()> work,
                                  std::vector<FunctionId> functions) {
  return promise_of<std::shared_ptr<GatewayHandle>>(
      env,
      [work = std::move(work)] {
        return std::make_shared<GatewayHandle>(open_with_js_names(work));
      },
      [functions](Napi::Env js, std::shared_ptr<GatewayHandle> handle) {
        return make(Environment::of(js).gateway_class, js, std::move(handle), functions);
      },
      [functions](Napi::Env js) { Environment::of(js).forget(functions); });
}

Napi::Value GatewayObject::host(const Napi::CallbackInfo& info) {
  return Napi::String::New(info.Env(), handle()->ingress().host());
}

Napi::Value GatewayObject::port(const Napi::CallbackInfo& info) {
  return Napi::Number::New(info.Env(), handle()->ingress().port());
}

Napi::Value GatewayObject::url(const Napi::CallbackInfo& info) {
  return Napi::String::New(info.Env(), handle()->ingress().url());
}

Napi::Value GatewayObject::bind_warning(const Napi::CallbackInfo& info) {
  return Napi::String::New(info.Env(), handle()->ingress().bind_warning());
}

Napi::Value open_gateway_js(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&] {
    Napi::Env env = info.Env();
    auto object = info[0].As<Napi::Object>();
    const Properties properties(object);
    GatewayOptions options;
    options.listeners = properties.text("listeners").value_or("");

    KeptFunctions kept(Environment::of(env));
    options.ingress = keep_ingress_options(kept, object);
    options.debug = keep_debug_options(kept, object);
    if (auto warn = properties.function("onWarning")) {
      options.on_warning = [function = kept.keep(*warn)](const std::string& message) {
        function.call([message](Napi::Env js) -> std::vector<napi_value> {
          return {Napi::String::New(js, message)};
        });
      };
    }
    return GatewayObject::open(
        env, [options = std::move(options)] { return open_gateway(options); }, kept.take());
  });
}

}  // namespace gondolin::node
