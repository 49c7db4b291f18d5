// One client connection in a closed loop: a request (or message) is sent when the
// answer to the one before is complete.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

#include "common/sockets.hpp"
#include "load/histogram.hpp"
#include "load/options.hpp"
#include "load/response_reader.hpp"

namespace gondolin::bench {

// What all connections of a run share and add to.
struct Run {
  using Clock = std::chrono::steady_clock;

  explicit Run(const Options& o);
  // Whether another request may begin; counts it.
  [[nodiscard]] bool may_begin();

  const Options& options;
  Epoll epoll;
  std::string request;  // the head
  Clock::time_point end;
  Histogram latencies;
  std::uint64_t begun = 0;
  std::uint64_t bytes = 0;  // of bodies and tunnels, as they came
  std::uint64_t errors = 0;
  std::string first_error;
  std::size_t active = 0;  // connections that have something to do
};

class Connection {
 public:
  // Begins; `run` must outlive it.
  explicit Connection(Run& run);
  // Goes as far as it can.
  void advance();

 private:
  enum class State : std::uint8_t { kRequest, kTunnel, kDone };

  void begin();
  void connect();
  void send_pending();
  void receive_response();
  void response_complete();
  void begin_message();
  void receive_tunnel();
  void fail(std::string_view why);
  void finish();

  Run& run_;
  UniqueFd socket_;
  State state_ = State::kRequest;
  ResponseReader reader_;
  std::string_view head_left_;
  std::uint64_t upload_left_ = 0;
  std::uint64_t echo_due_ = 0;  // bytes of the tunnel that must still come back
  Run::Clock::time_point began_{};
};

}  // namespace gondolin::bench
