#include "gateway.hpp"

#include <string>

#include "debug_log.hpp"
#include "gondolin/gateway.hpp"
#include "ingress_options.hpp"
#include "promise.hpp"
#include "routes.hpp"
#include "values.hpp"

namespace gondolin::node {

namespace {

// What make() hands to the constructor.
struct NewGateway {
  std::shared_ptr<GatewayHandle> handle;
  std::vector<FunctionId> functions;
};

}  // namespace

void GatewayObject::define(Napi::Env env) {
  Napi::Function definition = DefineClass(
      env, "NativeGateway",
      {InstanceAccessor<&GatewayObject::host>("host"),
       InstanceAccessor<&GatewayObject::port>("port"), InstanceAccessor<&GatewayObject::url>("url"),
       InstanceAccessor<&GatewayObject::bind_warning>("bindWarning"),
       InstanceMethod<&GatewayObject::routes>("routes"),
       InstanceMethod<&GatewayObject::set_routes>("setRoutes"),
       InstanceMethod<&GatewayObject::close>("close")});
  Environment::of(env).gateway_class = Napi::Persistent(definition);
}

Napi::Value GatewayObject::make(Napi::Env env, std::shared_ptr<GatewayHandle> handle,
                                std::vector<FunctionId> functions) {
  Environment& environment = Environment::of(env);
  environment.opened(handle);
  NewGateway parts{std::move(handle), std::move(functions)};
  return environment.gateway_class.New({Napi::External<NewGateway>::New(env, &parts)});
}

Napi::Promise GatewayObject::open(Napi::Env env, std::function<Ingress()> work,
                                  std::vector<FunctionId> functions) {
  return promise_of<std::shared_ptr<GatewayHandle>>(
      env, [work = std::move(work)] { return std::make_shared<GatewayHandle>(work()); },
      [functions](Napi::Env js, std::shared_ptr<GatewayHandle> handle) {
        return make(js, std::move(handle), functions);
      },
      [functions](Napi::Env js) { Environment::of(js).forget(functions); });
}

GatewayObject::GatewayObject(const Napi::CallbackInfo& info)
    : Napi::ObjectWrap<GatewayObject>(info), pool_(Environment::of(info.Env()).pool()) {
  NewGateway& parts = *info[0].As<Napi::External<NewGateway>>().Data();
  handle_ = std::move(parts.handle);
  functions_ = std::move(parts.functions);
}

GatewayObject::~GatewayObject() {
  pool_->dispose(std::move(handle_));
}

Napi::Value GatewayObject::host(const Napi::CallbackInfo& info) {
  return Napi::String::New(info.Env(), handle_->ingress().host());
}

Napi::Value GatewayObject::port(const Napi::CallbackInfo& info) {
  return Napi::Number::New(info.Env(), handle_->ingress().port());
}

Napi::Value GatewayObject::url(const Napi::CallbackInfo& info) {
  return Napi::String::New(info.Env(), handle_->ingress().url());
}

Napi::Value GatewayObject::bind_warning(const Napi::CallbackInfo& info) {
  return Napi::String::New(info.Env(), handle_->ingress().bind_warning());
}

Napi::Value GatewayObject::routes(const Napi::CallbackInfo& info) {
  return promise_of<std::vector<IngressRoute>>(
      info.Env(), [handle = handle_] { return handle->ingress().routes(); }, to_js_routes);
}

Napi::Value GatewayObject::set_routes(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&] {
    return promise_of(info.Env(), [handle = handle_, routes = read_routes(info[0])] {
      handle->ingress().set_routes(routes);
    });
  });
}

Napi::Value GatewayObject::close(const Napi::CallbackInfo& info) {
  return promise_of(
      info.Env(), [handle = handle_] { handle->close(); },
      [handle = handle_, functions = functions_](Napi::Env env) {
        Environment& environment = Environment::of(env);
        environment.closed(handle);
        environment.forget(functions);
      });
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
