// The HTTP/1.1 gateway: a listening socket on one side, a StreamOpener on the other,
// a RouteTable between them.
//
// One Session (session.hpp) per client connection, as a coroutine on the event
// loop's thread. The gateway accepts, counts, and closes them.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <boost/asio/any_io_executor.hpp>

#include "base/debug_log.hpp"
#include "base/result.hpp"
#include "ingress/config.hpp"
#include "ingress/route_table.hpp"
#include "io/stream.hpp"

namespace gondolin::ingress {

// Which TCP ports the backend's machine listens on, asked for error pages; empty if
// unknown. Must end within the second.
using ListeningPorts = std::function<Awaitable<std::vector<std::uint16_t>>()>;

// What a gateway stands on. All of it must outlive the gateway and the loop's last
// turn of its sessions.
struct GatewayParts {
  asio::any_io_executor executor;  // of one thread
  StreamOpener& opener;
  const RouteTable& routes;
  const DebugLog& log;
  ListeningPorts listening_ports;  // may be empty
  Hooks hooks{};
};

// Belongs to the loop's thread.
class Gateway {
 public:
  Gateway(GatewayConfig config, GatewayParts parts);
  // Closes.
  ~Gateway();
  Gateway(const Gateway&) = delete;
  Gateway& operator=(const Gateway&) = delete;

  // Binds and starts to accept. The error is one line: what address, and why not.
  [[nodiscard]] Status start();

  // The address bound, after start().
  [[nodiscard]] const std::string& host() const;  // without brackets
  [[nodiscard]] std::uint16_t port() const;

  // Stops accepting and aborts every connection. Their coroutines end in the
  // loop's next turns; `done`, if given, is called when the last one has.
  void close(std::function<void()> done = {});

  // Connections that are open now.
  [[nodiscard]] std::size_t connections() const;

 private:
  class Impl;
  std::shared_ptr<Impl> impl_;
};

// A sentence for the user when `host` is not loopback, else "".
[[nodiscard]] std::string bind_warning(const std::string& host);

}  // namespace gondolin::ingress
