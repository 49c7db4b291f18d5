// A backend whose every byte is the test's: a listening loopback socket. The test
// accepts the gateway's connection when it wants to, and then speaks on it as on
// any Connection.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "base/unique_fd.hpp"
#include "harness/connection.hpp"

namespace gondolin::wiretest {

enum class Loopback { kIpv4, kIpv6 };

class FakeBackend {
 public:
  // Listens on an ephemeral port of 127.0.0.1 or [::1].
  explicit FakeBackend(Loopback family = Loopback::kIpv4);

  [[nodiscard]] std::uint16_t port() const { return port_; }

  // The next connection; throws when none comes within kPatience.
  [[nodiscard]] Connection accept();
  // A connection that is already there, if any.
  [[nodiscard]] std::optional<Connection> accept_pending();

 private:
  UniqueFd listener_;
  std::uint16_t port_ = 0;
};

// A loopback port on which nothing listens, held bound so that nobody else takes it.
class ClosedPort {
 public:
  ClosedPort();
  [[nodiscard]] std::uint16_t port() const { return port_; }

 private:
  UniqueFd ipv4_;
  UniqueFd ipv6_;
  std::uint16_t port_ = 0;
};

// A loopback port that is listened on and whose queue is full: nobody answers a
// connection to it.
class FullPort {
 public:
  FullPort();
  [[nodiscard]] std::uint16_t port() const { return port_; }

 private:
  UniqueFd listener_;
  std::uint16_t port_ = 0;
  std::vector<UniqueFd> queue_;
};

}  // namespace gondolin::wiretest
