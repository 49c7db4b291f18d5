#include "routes.hpp"

#include <cstdint>

#include "errors.hpp"
#include "gondolin/error.hpp"
#include "values.hpp"

namespace gondolin::node {
namespace {

IngressRoute read_route(Napi::Value value) {
  if (!value.IsObject()) {
    throw ApiError(ApiErrorCode::kInvalidArgument, "a route must be an object");
  }
  const Properties properties(value.As<Napi::Object>());
  IngressRoute route;
  route.prefix = properties.text("prefix").value_or("");
  route.port = static_cast<std::uint16_t>(properties.integer("port", 1, 65535).value_or(0));
  route.strip_prefix = properties.flag("stripPrefix").value_or(true);
  return route;
}

}  // namespace

Napi::Object to_js_route(Napi::Env env, const IngressRoute& route) {
  Napi::Object object = Napi::Object::New(env);
  object.Set("prefix", route.prefix);
  object.Set("port", Napi::Number::New(env, route.port));
  object.Set("stripPrefix", Napi::Boolean::New(env, route.strip_prefix));
  return object;
}

Napi::Array to_js_routes(Napi::Env env, const std::vector<IngressRoute>& routes) {
  Napi::Array array = Napi::Array::New(env, routes.size());
  for (std::size_t i = 0; i < routes.size(); ++i)
    array.Set(static_cast<std::uint32_t>(i), to_js_route(env, routes[i]));
  return array;
}

std::vector<IngressRoute> read_routes(Napi::Value value) {
  if (!value.IsArray()) {
    throw ApiError(ApiErrorCode::kInvalidArgument, "routes must be an array");
  }
  auto array = value.As<Napi::Array>();
  std::vector<IngressRoute> routes;
  for (std::uint32_t i = 0; i < array.Length(); ++i)
    routes.push_back(read_route(array.Get(i)));
  return routes;
}

Napi::Value normalize_routes_js(const Napi::CallbackInfo& info) {
  return guarded(info.Env(),
                 [&] { return to_js_routes(info.Env(), normalize_routes(read_routes(info[0]))); });
}

Napi::Object to_js_routes_event(Napi::Env env, const IngressRoutesEvent& event) {
  Napi::Object object = Napi::Object::New(env);
  object.Set("routes", to_js_routes(env, event.routes));
  if (event.error) {
    Napi::Object error = Napi::Object::New(env);
    error.Set("line", Napi::Number::New(env, static_cast<double>(event.error->line)));
    error.Set("reason", event.error->reason);
    object.Set("error", error);
  }
  Napi::Array warnings = Napi::Array::New(env, event.warnings.size());
  for (std::size_t i = 0; i < event.warnings.size(); ++i)
    warnings.Set(static_cast<std::uint32_t>(i), event.warnings[i]);
  object.Set("warnings", warnings);
  return object;
}

}  // namespace gondolin::node
