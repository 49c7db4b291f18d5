// What all connections of one gateway share.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <unordered_set>
#include <utility>

#include "ingress/config.hpp"
#include "ingress/gateway.hpp"
#include "ingress/host_policy.hpp"
#include "io/deadline.hpp"

namespace gondolin::ingress {

class Session;

// Kept alive by the gateway and by every session. Belongs to the loop's thread.
struct Core {
  Core(GatewayConfig c, GatewayParts p)
      : config(std::move(c)),
        parts(std::move(p)),
        policy(config.host, config.allowed_hosts),
        deadlines(parts.executor) {}

  [[nodiscard]] bool logs() const { return parts.log.enabled(DebugTopic::kIngress); }
  void log(std::uint64_t connection, std::string_view message) const;

  GatewayConfig config;
  GatewayParts parts;
  HostPolicy policy;
  DeadlineQueue deadlines;
  std::string authority;  // host:port bound, as a Host field has it
  std::unordered_set<Session*> sessions;
  std::uint64_t last_connection = 0;
  std::function<void()> on_last_session_end;
};

}  // namespace gondolin::ingress
