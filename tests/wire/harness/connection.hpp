// One TCP connection of a wire test, on either side of the gateway: it sends
// exact bytes and waits for exact bytes.
//
// Every wait is a poll(2) with a deadline, never a sleep. A wait that ends
// otherwise than the caller demands throws WireFailure, whose text says what was
// awaited and what had arrived; GoogleTest reports it as the test's failure.
// Nothing here knows HTTP, and nothing here is thread-safe.
#pragma once

#include <chrono>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <string_view>

#include "base/unique_fd.hpp"

namespace gondolin::wiretest {

using std::chrono::milliseconds;

// How long a wait may take before it counts as failed. Only failures take it.
inline constexpr milliseconds kPatience{5000};

class WireFailure : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

// How the peer ended the stream.
enum class End { kFin, kReset };

// A numeric address and port, as printed in the gateway's URL.
struct Address {
  std::string host;
  std::uint16_t port = 0;
};

class Connection {
 public:
  // Takes over a connected stream socket and makes it non-blocking.
  explicit Connection(UniqueFd socket);

  // Connects to `address` (IPv4 or IPv6, numeric).
  [[nodiscard]] static Connection to(const Address& address);

  // Connects with a receive window of about `bytes`, set before the handshake.
  [[nodiscard]] static Connection with_receive_window(const Address& address, int bytes);

  // Sends all of `bytes`; fails when the peer takes nothing for kPatience or has
  // reset the connection.
  void send(std::string_view bytes);

  // Sends `bytes` one at a time, each in a segment of its own, pausing so that
  // the peer sees them apart. Stops early when the peer has answered or closed;
  // returns how many bytes were sent.
  std::size_t drip(std::string_view bytes);

  // Sends as much of `bytes` as the peer accepts before it stops reading for
  // `quiet`; returns the count. A reset ends it too.
  [[nodiscard]] std::size_t send_until_stalled(std::string_view bytes, milliseconds quiet);

  // Ends our direction (FIN); the other stays open.
  void finish();

  // Closes both directions; unread input turns this into a reset, as with any socket.
  void close();

  // Aborts the connection: the peer sees a reset.
  void reset();

  // The next `count` bytes.
  [[nodiscard]] std::string receive(std::size_t count);

  // At least one byte, at most `most`, whatever arrives first; "" at the end.
  [[nodiscard]] std::string receive_some(std::size_t most = 65536);

  // Everything up to and including `delimiter`.
  [[nodiscard]] std::string receive_until(std::string_view delimiter);

  // Everything until the peer ends the stream, and how it did.
  struct Rest {
    std::string bytes;
    End end;
  };
  [[nodiscard]] Rest receive_rest();

  // Waits for exactly `bytes`.
  void expect(std::string_view bytes);

  // Waits for the end of the stream; fails if a byte comes first.
  End expect_end();

  // Fails if a byte or the end arrives within `quiet`.
  void expect_silence(milliseconds quiet);

  // Whether bytes or the end are there to be read now.
  [[nodiscard]] bool readable() const;

  // Whether the peer's stack has everything sent so far.
  [[nodiscard]] bool all_acknowledged() const;

  [[nodiscard]] int fd() const { return socket_.get(); }
  [[nodiscard]] std::uint16_t local_port() const;

 private:
  // Reads once into the buffer, waiting up to `patience`; false on the end of the
  // stream (see end_) and, if `patience` passes, throws naming `awaited`.
  bool fill(std::string_view awaited, milliseconds patience = kPatience);
  [[nodiscard]] bool wait_for(short events, milliseconds patience) const;

  UniqueFd socket_;
  std::string buffer_;  // received, not yet taken
  bool ended_ = false;
  End end_ = End::kFin;
};

// A printable form of raw bytes for failure messages; long text is cut.
[[nodiscard]] std::string visible(std::string_view bytes);

// Runs `condition` until it holds; false if it does not within `patience`. For
// states without a descriptor to poll, such as another process's memory.
template <typename Condition>
[[nodiscard]] bool eventually(Condition condition, milliseconds patience = kPatience);

void pause_between_looks();

template <typename Condition>
bool eventually(Condition condition, milliseconds patience) {
  const auto deadline = std::chrono::steady_clock::now() + patience;
  while (!condition()) {
    if (std::chrono::steady_clock::now() > deadline) return false;
    pause_between_looks();
  }
  return true;
}

}  // namespace gondolin::wiretest
