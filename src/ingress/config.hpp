// What a gateway may be told; src/api checks the ranges.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "http/limits.hpp"
#include "ingress/hooks.hpp"

namespace gondolin::ingress {

enum class WebSockets : std::uint8_t { kAllowed, kDisabled };

struct GatewayConfig {
  using Duration = std::chrono::milliseconds;

  std::string host = "127.0.0.1";  // an IP address, or "localhost"
  std::uint16_t port = 0;
  std::vector<std::string> allowed_hosts{};  // see IngressOptions
  WebSockets websockets = WebSockets::kAllowed;

  Duration connect_timeout{2'000};
  Duration response_header_timeout{60'000};
  Duration response_silence{0};  // 0: none
  // How long the client may stall a request's body, and the backend the taking of it.
  Duration request_silence{60'000};
  Duration request_header_timeout{30'000};
  Duration idle_timeout{60'000};
  // How long a client may take nothing of a response. Long: a paused download is
  // no error, a connection that nobody will ever read again is.
  Duration client_stall{600'000};
  // How long a backend may leave "Expect: 100-continue" unanswered.
  Duration continue_timeout{1'000};
  // After an error or an early response: how long, and for how many bytes, the
  // client's leftover is read, so that it gets to see the answer.
  Duration linger{2'000};
  std::size_t linger_bytes = 16 * 1024 * 1024;

  // Unless a hook says otherwise.
  Buffering buffering = Buffering::kNo;
  std::size_t max_buffered = 2 * 1024 * 1024;

  http::Limits limits{};
  std::size_t max_connections = 1024;
  // Bytes of one connection's buffer, each way; at least limits.head.
  std::size_t buffer = 64 * 1024;
};

}  // namespace gondolin::ingress
