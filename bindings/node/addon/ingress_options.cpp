#include "ingress_options.hpp"

#include <chrono>
#include <cstdint>
#include <vector>

#include "hooks.hpp"
#include "routes.hpp"
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

}  // namespace

IngressOptions keep_ingress_options(KeptFunctions& kept, Napi::Object object) {
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

  if (auto hooks = properties.object("hooks")) options.hooks = keep_hooks(kept, *hooks);
  if (auto hear = properties.function("onRoutes")) {
    options.on_routes = [function = kept.keep(*hear)](const IngressRoutesEvent& event) {
      function.call([event](Napi::Env env) -> std::vector<napi_value> {
        return {to_js_routes_event(env, event)};
      });
    };
  }
  return options;
}

}  // namespace gondolin::node
