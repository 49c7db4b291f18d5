#include "ingress/host_policy.hpp"

#include <algorithm>
#include <utility>

namespace gondolin::ingress {

namespace {

// An authority from a bare host: IPv6 addresses need brackets there.
std::string bracketed(std::string_view host) {
  bool bare_ipv6 = host.find(':') != std::string_view::npos && !host.starts_with('[');
  return bare_ipv6 ? "[" + std::string(host) + "]" : std::string(host);
}

bool names(std::string_view name, const http::Authority& authority) {
  auto named = http::parse_authority(name);
  return named && http::same_host(*named, authority);
}

}  // namespace

bool is_loopback_host(std::string_view host) {
  std::string text = bracketed(host);
  auto authority = http::parse_authority(text);
  return authority && http::is_loopback(*authority);
}

HostPolicy::HostPolicy(std::string_view bind_host, std::vector<std::string> allowed)
    : bind_host_(bracketed(bind_host)), names_(std::move(allowed)) {
  if (std::ranges::find(names_, "*") != names_.end()) {
    check_ = Check::kNothing;
  } else if (!is_loopback_host(bind_host)) {
    check_ = Check::kOriginOnly;
  }
  for (std::string& name : names_)
    name = bracketed(name);
}

bool HostPolicy::is_named(const http::Authority& authority) const {
  return std::ranges::any_of(names_,
                             [&](const std::string& name) { return names(name, authority); });
}

bool HostPolicy::allows_host(std::string_view authority) const {
  if (check_ != Check::kAll) return true;
  auto host = http::parse_authority(authority);
  return host && (http::is_loopback(*host) || names(bind_host_, *host) || is_named(*host));
}

bool HostPolicy::allows_origin(std::string_view origin, std::string_view authority) const {
  if (check_ == Check::kNothing) return true;
  auto page = http::parse_origin(origin);
  if (!page) return false;
  auto host = http::parse_authority(authority);
  return (host && http::same_host(page->authority, *host)) || is_named(page->authority);
}

}  // namespace gondolin::ingress
