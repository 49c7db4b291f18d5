// Authorities (host[:port]) and origins: their syntax, and what the Host and
// Origin policies ask of them. Nothing is ever resolved.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace gondolin::http {

enum class HostKind : std::uint8_t { kName, kIpv4, kIpv6 };

struct Authority {
  std::string_view host;  // never empty; of an IPv6 address without its brackets
  HostKind kind = HostKind::kName;
  std::optional<std::uint16_t> port;  // none if absent or empty ("host:")

  bool operator==(const Authority&) const = default;  // as bytes; see same_host()
};

// Parses uri-host [":" port] (RFC 9110 7.2, RFC 3986 3.2.2). No userinfo, no empty
// host, no port above 65535; names of unreserved and sub-delims bytes and valid
// escapes; IPv6 literals checked, zone ids and IPvFuture refused. An IPv4 address
// is four decimal numbers without leading zeros: "127.1" is a name.
[[nodiscard]] std::optional<Authority> parse_authority(std::string_view text);

// Whether only this machine can be meant: "localhost" and names below it (with or
// without the final dot), 127.0.0.0/8, ::1, and 127.0.0.0/8 mapped into IPv6.
[[nodiscard]] bool is_loopback(const Authority& authority);

// Whether both name the same host, port aside: names without regard to case and
// to one final dot, addresses by value.
[[nodiscard]] bool same_host(const Authority& a, const Authority& b);

// An Origin of the form scheme "://" host [":" port] (RFC 6454 6.2).
struct Origin {
  std::string_view scheme;  // as sent
  Authority authority;
};

// Parses the value of an Origin field. None for "null" and whatever else names no
// host: an Origin that is there but unreadable is never the same as any host.
[[nodiscard]] std::optional<Origin> parse_origin(std::string_view value);

// Whether `origin` is the page that `authority` served: same host and same port,
// where an absent port is that of the scheme (80 for http and ws, 443 for https
// and wss), and that of `authority` is 80.
[[nodiscard]] bool same_authority(const Origin& origin, const Authority& authority);

}  // namespace gondolin::http
