// The part of ingress that VMs and the gateway alone have in common: addresses,
// options, the Ingress handle.

#include "gondolin/ingress.hpp"

#include <arpa/inet.h>

#include <algorithm>
#include <array>
#include <limits>
#include <optional>
#include <utility>

#include <fmt/format.h>

#include "api/convert.hpp"
#include "api/hooks.hpp"
#include "api/ingress_impl.hpp"
#include "base/debug_log.hpp"
#include "base/parse_number.hpp"
#include "gondolin/error.hpp"
#include "http/authority.hpp"
#include "http/chars.hpp"

namespace gondolin {

namespace {

[[noreturn]] void invalid(const std::string& message) {
  throw ApiError(ApiErrorCode::kInvalidArgument, message);
}

bool is_ip_address(const std::string& host) {
  std::array<unsigned char, sizeof(in6_addr)> address;
  return ::inet_pton(AF_INET, host.c_str(), address.data()) == 1 ||
         ::inet_pton(AF_INET6, host.c_str(), address.data()) == 1;
}

// Whether it is a host as --ingress-host takes it.
bool is_host_pattern(const std::string& name) {
  if (name == "*" || is_ip_address(name)) return true;
  const auto authority = http::parse_authority(name);
  return authority && !name.ends_with(':') && !authority->port &&
         name.find('*') == std::string::npos;
}

// Throws unless low <= value <= high.
template <typename T>
void check_range(const char* name, T value, T low, T high) {
  if (value < low || value > high) {
    invalid(fmt::format("{} must be {} to {}, not {}", name, low, high, value));
  }
}

void check_timeout(const char* name, std::chrono::milliseconds value, std::int64_t low) {
  constexpr std::int64_t kDay = 24 * 60 * 60 * 1000;
  check_range<std::int64_t>(name, value.count(), low, kDay);
}

class ListenParser {
 public:
  explicit ListenParser(std::string_view text) : text_(text) {}

  ListenAddress parse() const {
    ListenAddress address;
    if (text_.empty()) return address;
    if (text_.find('\0') != std::string_view::npos) refuse("it holds a NUL byte");
    auto [host, port] = split();
    if (!host.empty()) address.host = check_host(host);
    address.port = check_port(port);
    return address;
  }

 private:
  struct Parts {
    std::string_view host;
    std::string_view port;
  };

  [[noreturn]] void refuse(const std::string& why) const {
    invalid(fmt::format("Invalid --listen value: {} ({})", printable(text_), why));
  }

  Parts split() const {
    if (text_.starts_with('[')) {
      std::size_t end = text_.find("]:");
      if (end == std::string_view::npos) refuse("write [ADDRESS]:PORT");
      return {text_.substr(0, end + 1), text_.substr(end + 2)};
    }
    if (text_.find("://") != std::string_view::npos) refuse("write HOST:PORT, and no URL");
    std::size_t colon = text_.find(':');
    if (colon == std::string_view::npos) {
      if (std::ranges::any_of(text_, [](char c) { return c < '0' || c > '9'; })) {
        refuse("write HOST:PORT, :PORT or PORT");
      }
      return {"", text_};
    }
    if (std::size_t last = text_.rfind(':'); last != colon) {
      std::string_view host = text_.substr(0, last);
      std::string_view port = text_.substr(last + 1);
      refuse(is_ip_address(std::string(host)) && !port.empty()
                 ? fmt::format("write [{}]:{}", printable(host), printable(port))
                 : "write IPv6 addresses as [ADDRESS]:PORT");
    }
    return {text_.substr(0, colon), text_.substr(colon + 1)};
  }

  std::string check_host(std::string_view host) const {
    if (http::iequals(host, "localhost")) return "localhost";
    std::array<unsigned char, sizeof(in6_addr)> address;
    if (host.starts_with('[')) {
      std::string inner(host.substr(1, host.size() - 2));
      if (::inet_pton(AF_INET6, inner.c_str(), address.data()) == 1) return inner;
      refuse("not an IPv6 address in the brackets");
    }
    if (::inet_pton(AF_INET, std::string(host).c_str(), address.data()) != 1) {
      refuse("the host must be an IP address or localhost");
    }
    return std::string(host);
  }

  std::uint16_t check_port(std::string_view port) const {
    if (port.empty()) refuse("the port is missing");
    auto number = parse_decimal<std::uint16_t>(port);
    if (!number) refuse("the port must be a number from 0 to 65535");
    return *number;
  }

  std::string_view text_;
};

}  // namespace

ListenAddress parse_listen_address(std::string_view text) {
  return ListenParser(text).parse();
}

ingress::GatewayConfig to_gateway_config(const IngressOptions& options) {
  constexpr std::size_t kMiB = 1024 * 1024;
  if (options.listen.host != "localhost" && !is_ip_address(options.listen.host)) {
    invalid(fmt::format("listen.host must be an IP address or localhost, not '{}'",
                        printable(options.listen.host)));
  }
  for (const std::string& name : options.allowed_hosts) {
    if (!is_host_pattern(name)) {
      invalid(fmt::format("'{}' is not a host name (one without a port, or * for any)",
                          printable(name)));
    }
  }
  check_timeout("connect_timeout", options.connect_timeout, 1);
  check_timeout("upstream_header_timeout", options.upstream_header_timeout, 1);
  check_timeout("upstream_response_timeout", options.upstream_response_timeout, 0);
  check_timeout("request_header_timeout", options.request_header_timeout, 1);
  check_timeout("idle_timeout", options.idle_timeout, 1);
  check_range<std::size_t>("max_header_bytes", options.max_header_bytes, 1024, kMiB);
  check_range<std::size_t>("max_header_fields", options.max_header_fields, 1, 10'000);
  check_range<std::size_t>("max_request_line_bytes", options.max_request_line_bytes, 256,
                           options.max_header_bytes);
  check_range<std::size_t>("max_connections", options.max_connections, 1, 1'000'000);
  check_range<std::size_t>("max_buffered_response_body_bytes",
                           options.max_buffered_response_body_bytes, 1, 1024 * kMiB);
  api::check_hooks(options.hooks);

  ingress::GatewayConfig config;
  config.host = options.listen.host;
  config.port = options.listen.port;
  config.allowed_hosts = options.allowed_hosts;
  config.websockets =
      options.allow_websockets ? ingress::WebSockets::kAllowed : ingress::WebSockets::kDisabled;
  config.connect_timeout = options.connect_timeout;
  config.response_header_timeout = options.upstream_header_timeout;
  config.response_silence = options.upstream_response_timeout;
  if (options.upstream_response_timeout.count() > 0) {
    config.request_silence = options.upstream_response_timeout;
  }
  config.request_header_timeout = options.request_header_timeout;
  config.idle_timeout = options.idle_timeout;
  config.limits.head = options.max_header_bytes;
  config.limits.fields = options.max_header_fields;
  config.limits.start_line = options.max_request_line_bytes;
  config.buffer = std::max(config.buffer, options.max_header_bytes);
  config.max_connections = options.max_connections;
  config.buffering =
      options.buffer_response_body ? ingress::Buffering::kYes : ingress::Buffering::kNo;
  config.max_buffered = options.max_buffered_response_body_bytes;
  return config;
}

std::vector<ingress::Route> to_routes(const std::vector<IngressRoute>& routes) {
  std::vector<ingress::Route> converted;
  for (const IngressRoute& route : routes) {
    if (std::string_view fault = ingress::prefix_fault(route.prefix); !fault.empty()) {
      invalid(fmt::format("invalid prefix '{}' ({})", printable(route.prefix), fault));
    }
    if (route.port == 0) invalid(fmt::format("no port for '{}'", printable(route.prefix)));
    converted.push_back(
        {.prefix = std::string(ingress::normalize_prefix(route.prefix)),
         .port = Port{route.port},
         .strip = route.strip_prefix ? ingress::StripPrefix::kYes : ingress::StripPrefix::kNo});
  }
  if (ingress::render_listeners(converted).size() > ingress::kMaxListenersBytes) {
    invalid("the routes are more than a listeners file may hold, 64 KiB");
  }
  return converted;
}

std::vector<IngressRoute> from_routes(const std::vector<ingress::Route>& routes) {
  std::vector<IngressRoute> converted;
  converted.reserve(routes.size());
  for (const ingress::Route& route : routes) {
    converted.push_back({.prefix = route.prefix,
                         .port = static_cast<std::uint16_t>(route.port),
                         .strip_prefix = route.strip == ingress::StripPrefix::kYes});
  }
  return converted;
}

std::vector<IngressRoute> normalize_routes(const std::vector<IngressRoute>& routes) {
  const std::string file = ingress::render_listeners(to_routes(routes));
  return from_routes(api::value_or_throw(ingress::parse_listeners(file)).routes);
}

Ingress::Impl::Impl(const IngressHooks& hooks)
    : hook_threads(std::make_shared<api::HookThreads>(hooks.max_threads)) {}

Ingress::Impl::~Impl() {
  hook_threads->close();
  hook_threads->join();
}

Ingress::Ingress(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Ingress::Ingress(Ingress&&) noexcept = default;
Ingress& Ingress::operator=(Ingress&&) noexcept = default;
Ingress::~Ingress() {
  if (impl_) close();
}

const std::string& Ingress::host() const {
  return impl_->bound.host;
}
std::uint16_t Ingress::port() const {
  return impl_->bound.port;
}

std::string Ingress::url() const {
  const bool ipv6 = host().find(':') != std::string::npos;
  return fmt::format("http://{}{}{}:{}", ipv6 ? "[" : "", host(), ipv6 ? "]" : "", port());
}

std::string Ingress::bind_warning() const {
  return ingress::bind_warning(host());
}
std::vector<IngressRoute> Ingress::routes() const {
  return impl_->routes();
}
void Ingress::set_routes(const std::vector<IngressRoute>& routes) {
  impl_->set_routes(routes);
}
void Ingress::close() {
  impl_->close();
  impl_->hook_threads->close();
}

}  // namespace gondolin
