// What all connections of one gateway share.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <unordered_set>
#include <utility>

#include "ingress/config.hpp"
#include "ingress/gateway.hpp"
#include "ingress/host_policy.hpp"
#include "ingress/http_date.hpp"
#include "io/deadline.hpp"
#include "io/mailbox.hpp"

namespace gondolin::ingress {

class Session;

// Kept alive by the gateway and by every session. Belongs to the loop's thread.
struct Core {
  Core(GatewayConfig c, GatewayParts p)
      : config(std::move(c)),
        parts(std::move(p)),
        policy(config.host, config.allowed_hosts),
        deadlines(parts.executor),
        mailbox(std::make_shared<Mailbox>(parts.executor)) {}

  [[nodiscard]] bool logs() const { return parts.log.enabled(DebugTopic::kIngress); }
  void log(std::uint64_t connection, std::string_view message) const;
  // Whether exchanges have more to do than to relay.
  [[nodiscard]] bool hooked() const {
    return !parts.hooks.empty() || config.buffering == Buffering::kYes;
  }

  GatewayConfig config;
  GatewayParts parts;
  HostPolicy policy;
  DeadlineQueue deadlines;
  std::shared_ptr<Mailbox> mailbox;  // where hooks answer; closed with the gateway
  DateClock clock;
  std::string authority;  // host:port bound, as a Host field has it
  std::unordered_set<Session*> sessions;
  std::uint64_t last_connection = 0;
  std::function<void()> on_last_session_end;
};

}  // namespace gondolin::ingress
