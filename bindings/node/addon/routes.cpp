#include "routes.hpp"

#include <chrono>
#include <limits>

#include "gondolin/error.hpp"
#include "values.hpp"

namespace gondolin::node {
namespace {

// The library knows the ranges and says so; here it is only made sure that the number
// is one, and fits.
constexpr std::int64_t kMost = std::int64_t{1} << 40;

std::chrono::milliseconds time_of(const Properties& properties, const char* name,
                                  std::chrono::milliseconds fallback) {
  return std::chrono::milliseconds(
      properties.integer(name, -kMost, kMost).value_or(fallback.count()));
}

std::size_t size_of(const Properties& properties, const char* name, std::size_t fallback) {
  return static_cast<std::size_t>(
      properties.integer(name, 0, kMost).value_or(static_cast<std::int64_t>(fallback)));
}

IngressRoute read_route(Napi::Value value) {
  if (!value.IsObject()) {
    throw ApiError(ApiErrorCode::kInvalidArgument, "a route must be an object");
  }
  const Properties properties(value.As<Napi::Object>());
  IngressRoute route;
  route.prefix = properties.byte_string("prefix").value_or("");
  route.port = static_cast<std::uint16_t>(properties.integer("port", 1, 65535).value_or(0));
  route.strip_prefix = properties.flag("stripPrefix").value_or(true);
  return route;
}

}  // namespace

Napi::Object to_js_route(Napi::Env env, const IngressRoute& route) {
  Napi::Object object = Napi::Object::New(env);
  object.Set("prefix", to_byte_string(env, route.prefix));
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

IngressOptions read_ingress_options(Napi::Object object) {
  const Properties properties(object);
  IngressOptions options;
  options.listen.host = properties.text("listenHost").value_or(options.listen.host);
  options.listen.port =
      static_cast<std::uint16_t>(properties.integer("listenPort", 0, 65535).value_or(0));
  options.allowed_hosts = properties.texts("allowedHosts");
  options.allow_websockets = properties.flag("allowWebSockets").value_or(options.allow_websockets);
  options.buffer_response_body =
      properties.flag("bufferResponseBody").value_or(options.buffer_response_body);
  options.max_buffered_response_body_bytes =
      size_of(properties, "maxBufferedResponseBodyBytes", options.max_buffered_response_body_bytes);
  options.connect_timeout = time_of(properties, "connectTimeoutMs", options.connect_timeout);
  options.upstream_header_timeout =
      time_of(properties, "upstreamHeaderTimeoutMs", options.upstream_header_timeout);
  options.upstream_response_timeout =
      time_of(properties, "upstreamResponseTimeoutMs", options.upstream_response_timeout);
  options.request_header_timeout =
      time_of(properties, "requestHeaderTimeoutMs", options.request_header_timeout);
  options.idle_timeout = time_of(properties, "idleTimeoutMs", options.idle_timeout);
  options.max_header_bytes = size_of(properties, "maxHeaderBytes", options.max_header_bytes);
  options.max_header_fields = size_of(properties, "maxHeaderFields", options.max_header_fields);
  options.max_request_line_bytes =
      size_of(properties, "maxRequestLineBytes", options.max_request_line_bytes);
  options.max_connections = size_of(properties, "maxConnections", options.max_connections);
  return options;
}

}  // namespace gondolin::node
