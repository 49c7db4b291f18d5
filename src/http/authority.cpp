// Addresses are recognized by inet_pton(3), which knows the strict forms only.
#include "http/authority.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <algorithm>
#include <array>
#include <cstddef>

#include "base/parse_number.hpp"
#include "http/chars.hpp"

namespace gondolin::http {
namespace {

using Ipv4 = std::array<std::uint8_t, 4>;
using Ipv6 = std::array<std::uint8_t, 16>;

// The address that `text` writes, in network order.
template <typename Address>
std::optional<Address> parse_address(std::string_view text) {
  std::array<char, INET6_ADDRSTRLEN> terminated{};
  if (text.size() >= terminated.size()) return std::nullopt;
  std::ranges::copy(text, terminated.begin());
  Address address{};
  const int family = sizeof(Address) == sizeof(Ipv4) ? AF_INET : AF_INET6;
  if (::inet_pton(family, terminated.data(), address.data()) != 1) return std::nullopt;
  return address;
}

// reg-name = *( unreserved / pct-encoded / sub-delims ), not empty.
bool is_reg_name(std::string_view text) {
  if (text.empty() || !detail::all_of_class(text, detail::kRegName)) return false;
  for (std::size_t i = text.find('%'); i != std::string_view::npos; i = text.find('%', i + 1)) {
    if (i + 2 >= text.size() || !is_hex_digit(text[i + 1]) || !is_hex_digit(text[i + 2])) {
      return false;
    }
  }
  return true;
}

std::string_view without_final_dot(std::string_view name) {
  if (name.ends_with('.')) name.remove_suffix(1);
  return name;
}

bool is_loopback_name(std::string_view name) {
  constexpr std::string_view kLocalhost = "localhost";
  constexpr std::string_view kBelow = ".localhost";
  name = without_final_dot(name);
  return iequals(name, kLocalhost) ||
         (name.size() > kBelow.size() && iequals(name.substr(name.size() - kBelow.size()), kBelow));
}

bool is_loopback_address(const Ipv6& address) {
  constexpr Ipv6 kLoopback{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1};
  constexpr std::array<std::uint8_t, 13> kMapped{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 127};
  return address == kLoopback || std::equal(kMapped.begin(), kMapped.end(), address.begin());
}

std::optional<std::uint16_t> default_port(std::string_view scheme) {
  if (iequals(scheme, "http") || iequals(scheme, "ws")) return std::uint16_t{80};
  if (iequals(scheme, "https") || iequals(scheme, "wss")) return std::uint16_t{443};
  return std::nullopt;
}

}  // namespace

std::optional<Authority> parse_authority(std::string_view text) {
  Authority authority;
  std::string_view rest;
  if (text.starts_with('[')) {
    const std::size_t close = text.find(']');
    if (close == std::string_view::npos) return std::nullopt;
    authority.host = text.substr(1, close - 1);
    authority.kind = HostKind::kIpv6;
    if (!parse_address<Ipv6>(authority.host)) return std::nullopt;
    rest = text.substr(close + 1);
  } else {
    authority.host = text.substr(0, text.find(':'));
    if (!is_reg_name(authority.host)) return std::nullopt;
    if (parse_address<Ipv4>(authority.host)) authority.kind = HostKind::kIpv4;
    rest = text.substr(authority.host.size());
  }
  if (rest.empty()) return authority;
  if (rest.front() != ':') return std::nullopt;
  rest.remove_prefix(1);
  if (rest.empty()) return authority;
  authority.port = parse_decimal<std::uint16_t>(rest);
  if (!authority.port) return std::nullopt;
  return authority;
}

bool is_loopback(const Authority& authority) {
  switch (authority.kind) {
    case HostKind::kName:
      return is_loopback_name(authority.host);
    case HostKind::kIpv4:
      return authority.host.starts_with("127.");
    case HostKind::kIpv6: {
      const auto address = parse_address<Ipv6>(authority.host);
      return address && is_loopback_address(*address);
    }
  }
  return false;
}

bool same_host(const Authority& a, const Authority& b) {
  if (a.kind != b.kind) return false;
  if (a.kind == HostKind::kIpv6) return parse_address<Ipv6>(a.host) == parse_address<Ipv6>(b.host);
  return iequals(without_final_dot(a.host), without_final_dot(b.host));
}

std::optional<Origin> parse_origin(std::string_view value) {
  constexpr std::string_view kSeparator = "://";
  const std::size_t scheme_end = value.find(kSeparator);
  if (scheme_end == std::string_view::npos) return std::nullopt;
  const std::string_view scheme = value.substr(0, scheme_end);
  const auto authority = parse_authority(value.substr(scheme_end + kSeparator.size()));
  if (!is_token(scheme) || !authority) return std::nullopt;
  return Origin{.scheme = scheme, .authority = *authority};
}

bool same_authority(const Origin& origin, const Authority& authority) {
  constexpr std::uint16_t kHttpPort = 80;
  const auto origin_port =
      origin.authority.port ? origin.authority.port : default_port(origin.scheme);
  return same_host(origin.authority, authority) &&
         origin_port == authority.port.value_or(kHttpPort);
}

}  // namespace gondolin::http
