#include "ingress_options.hpp"

#include <array>
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "gondolin/error.hpp"
#include "hooks.hpp"
#include "routes.hpp"
#include "values.hpp"

namespace gondolin::node {
namespace {

// The library knows the ranges and says so; here it is only made sure that the number
// is one, and fits.
constexpr std::int64_t kMost = std::int64_t{1} << 40;

// An option that is a number: its name in JavaScript, its name in the library's messages,
// and where it goes.
template <typename T>
struct NumberOption {
  const char* name;
  std::string_view library_name;
  T IngressOptions::* value;
};

constexpr std::array<NumberOption<std::chrono::milliseconds>, 5> kTimes{{
    {"connectTimeoutMs", "connect_timeout", &IngressOptions::connect_timeout},
    {"upstreamHeaderTimeoutMs", "upstream_header_timeout",
     &IngressOptions::upstream_header_timeout},
    {"upstreamResponseTimeoutMs", "upstream_response_timeout",
     &IngressOptions::upstream_response_timeout},
    {"requestHeaderTimeoutMs", "request_header_timeout", &IngressOptions::request_header_timeout},
    {"idleTimeoutMs", "idle_timeout", &IngressOptions::idle_timeout},
}};

constexpr std::array<NumberOption<std::size_t>, 5> kSizes{{
    {"maxBufferedResponseBodyBytes", "max_buffered_response_body_bytes",
     &IngressOptions::max_buffered_response_body_bytes},
    {"maxHeaderBytes", "max_header_bytes", &IngressOptions::max_header_bytes},
    {"maxHeaderFields", "max_header_fields", &IngressOptions::max_header_fields},
    {"maxRequestLineBytes", "max_request_line_bytes", &IngressOptions::max_request_line_bytes},
    {"maxConnections", "max_connections", &IngressOptions::max_connections},
}};

// What JavaScript calls the option that the library calls `library_name`, if it is one.
std::optional<std::string> js_name_of(std::string_view library_name) {
  if (library_name == "listen.host") return "listenHost";
  for (const auto& option : kTimes) {
    if (option.library_name == library_name) return option.name;
  }
  for (const auto& option : kSizes) {
    if (option.library_name == library_name) return option.name;
  }
  return std::nullopt;
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
  for (const auto& [name, _, value] : kTimes) {
    if (auto given = properties.integer(name, -kMost, kMost)) {
      options.*value = std::chrono::milliseconds(*given);
    }
  }
  for (const auto& [name, _, value] : kSizes) {
    if (auto given = properties.integer(name, 0, kMost)) {
      options.*value = static_cast<std::size_t>(*given);
    }
  }

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

Ingress open_with_js_names(const std::function<Ingress()>& open) {
  try {
    return open();
  } catch (const ApiError& error) {
    if (error.code() != ApiErrorCode::kInvalidArgument) throw;
    const std::string_view message = error.what();
    const std::string_view name = message.substr(0, message.find(' '));
    auto js_name = js_name_of(name);
    if (!js_name) throw;
    throw ApiError(error.code(), *js_name + std::string(message.substr(name.size())));
  }
}

}  // namespace gondolin::node
