// What the load generator is told.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>

#include "common/sockets.hpp"

namespace gondolin::bench {

struct Options {
  enum class Mode : std::uint8_t {
    kRequests,   // requests, one after the other on each connection
    kWebSocket,  // messages, each sent when the one before has come back
    kStream,     // a tunnel's bytes, sent as fast as they come back
  };
  // Whether a connection serves one request or many.
  enum class Reuse : std::uint8_t { kKeepAlive, kClose };

  Mode mode = Mode::kRequests;
  Reuse reuse = Reuse::kKeepAlive;
  Endpoint to{};
  std::string path = "/";
  std::size_t connections = 1;
  std::chrono::milliseconds duration{1'000};
  std::uint64_t requests = 0;               // ends after so many, whatever the time; 0: by time
  std::uint64_t upload = 0;                 // bytes of each request's body
  std::size_t message = 64;                 // bytes of a WebSocket message's payload, or in flight
  std::chrono::microseconds read_pause{0};  // after each read: a slow reader
  std::chrono::milliseconds hold{0};        // keeps the connections open at the end
  std::chrono::milliseconds stall{0};       // ends when nothing happened for so long; 0: fails
};

// Prints the usage and ends the program where they make no sense.
[[nodiscard]] Options parse_options(int argc, char** argv);

}  // namespace gondolin::bench
