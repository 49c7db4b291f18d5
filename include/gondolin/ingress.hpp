// Ingress: HTTP servers on a loopback, opened to the host by routes in a file.
//
// Errors are ApiError. Standard library only.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "gondolin/export.hpp"
#include "gondolin/hooks.hpp"
#include "gondolin/route.hpp"

namespace gondolin {

// Where a gateway listens.
struct ListenAddress {
  std::string host = "127.0.0.1";  // an IPv4 or IPv6 address, without brackets, or "localhost"
  std::uint16_t port = 0;          // 0: any free port
};

// Parses the value of --listen: "HOST:PORT", ":PORT", "PORT", "HOST:0",
// "[::1]:PORT", or "" for the default. kInvalidArgument, whose message is
// "Invalid --listen value: X (why)", for anything else.
[[nodiscard]] GONDOLIN_API ListenAddress parse_listen_address(std::string_view text);

// What a gateway does, and what it bears with.
struct IngressOptions {
  ListenAddress listen;  // by default 127.0.0.1 and a free port
  // Host names, beyond loopback's own, that requests may be for. "*" allows all,
  // and so gives up the protection against DNS rebinding. Only loopback binds check.
  std::vector<std::string> allowed_hosts;
  bool allow_websockets = true;  // upgrades are answered 501 where they are not

  // What this program has to say about each request and response; see hooks.hpp.
  IngressHooks hooks;
  // Gets what the listeners file says when the gateway opens, and whenever that changes
  // until it is closed. Called on the gateway's thread, for open_gateway() the first time
  // on the caller's. It must not block, throw, or call this Ingress or its Vm.
  std::function<void(const IngressRoutesEvent&)> on_routes;
  // Whether a response's body is read to its end before any of it is sent, so that
  // hooks.on_response sees it. A body that is longer than the maximum is answered
  // 502. Both are defaults that hooks.on_request can change for one request.
  bool buffer_response_body = false;
  std::size_t max_buffered_response_body_bytes = 2 * 1024 * 1024;  // 1 to 1 GiB

  // How long a connection to the port may take.
  std::chrono::milliseconds connect_timeout{2'000};
  // How long the response's header may take once the request was sent.
  std::chrono::milliseconds upstream_header_timeout{60'000};
  // How long a body may be silent in either direction; 0 sets no bound for
  // responses (event streams live for hours) and 60 s for requests.
  std::chrono::milliseconds upstream_response_timeout{0};
  // How long a request's header may take.
  std::chrono::milliseconds request_header_timeout{30'000};
  // How long a client's connection may stay without a request.
  std::chrono::milliseconds idle_timeout{60'000};

  std::size_t max_header_bytes = 64 * 1024;        // 1,024 to 1 MiB
  std::size_t max_header_fields = 128;             // 1 to 10,000
  std::size_t max_request_line_bytes = 16 * 1024;  // 256 to max_header_bytes
  std::size_t max_connections = 1024;              // 1 to 1,000,000
};

// An open gateway. Closes when destroyed, and waits then for blocking hooks that
// still run. Any thread may call, but for those that hooks are called on.
class GONDOLIN_API Ingress {
 public:
  // What is behind it; the library's own business.
  class Impl;

  explicit Ingress(std::unique_ptr<Impl> impl);
  Ingress(Ingress&&) noexcept;
  Ingress& operator=(Ingress&&) noexcept;
  ~Ingress();

  // The address bound, port 0 resolved; IPv6 hosts without brackets.
  [[nodiscard]] const std::string& host() const;
  // Never 0.
  [[nodiscard]] std::uint16_t port() const;
  // "http://127.0.0.1:58650"; IPv6 hosts are bracketed.
  [[nodiscard]] std::string url() const;
  // A sentence for the user when the bind address is not loopback, else "".
  [[nodiscard]] std::string bind_warning() const;

  // The routes in force. kCancelled once the gateway, or its VM, was closed.
  [[nodiscard]] std::vector<IngressRoute> routes() const;
  // Writes the listeners file anew with these routes, as normalize_routes() has them, and
  // puts them in force. kInvalidArgument where that has, kCancelled once the gateway, or
  // its VM, was closed.
  void set_routes(const std::vector<IngressRoute>& routes);

  // Ends the gateway and all its connections, WebSockets and half-sent requests
  // included, within 1 s. May be called again; host(), port() and url() still answer. No
  // hook is called after this; blocking ones that run already are not waited for.
  void close();

 private:
  std::unique_ptr<Impl> impl_;
};

}  // namespace gondolin
