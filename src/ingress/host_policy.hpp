// Who may come in: the protection of a loopback bind against DNS rebinding, and of
// WebSockets against pages of other sites.
//
// A browser sends the name it was asked for as Host. A page of evil.example whose
// name was made to resolve to 127.0.0.1 therefore says "evil.example", which is no
// name of this machine's loopback.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "http/authority.hpp"

namespace gondolin::ingress {

class HostPolicy {
 public:
  // `bind_host` is the address bound, without brackets. `allowed` are names beyond
  // loopback's; "*" allows everything.
  HostPolicy(std::string_view bind_host, std::vector<std::string> allowed);

  // Whether a request for `authority` (host[:port], or "" for an empty Host) may be
  // served. Always on a bind that is not loopback.
  [[nodiscard]] bool allows_host(std::string_view authority) const;

  // Whether a WebSocket handshake with this Origin may be passed on: the page is of
  // the host that the request is for, or of one that was allowed by name.
  [[nodiscard]] bool allows_origin(std::string_view origin, std::string_view authority) const;

 private:
  [[nodiscard]] bool is_named(const http::Authority& authority) const;

  enum class Check : std::uint8_t { kNothing, kOriginOnly, kAll };

  Check check_ = Check::kAll;
  std::string bind_host_;
  std::vector<std::string> names_;
};

// Whether `host`, an IP address or a name without brackets, is of the loopback.
[[nodiscard]] bool is_loopback_host(std::string_view host);

}  // namespace gondolin::ingress
