// Two muxes and the port between them, in memory: bytes arrive in pieces of any
// size, the way the test chooses.
#pragma once

#include <deque>
#include <optional>
#include <vector>

#include <gtest/gtest.h>

#include "wire/mux.hpp"

namespace gondolin::wire {

inline Nonce nonce_of(unsigned seed) {
  Nonce nonce{};
  for (std::size_t i = 0; i < nonce.size(); ++i)
    nonce[i] = static_cast<std::byte>(seed * 31 + i);
  return nonce;
}

// The bytes in flight in one direction.
class Pipe {
 public:
  // Takes what `from` wants to send, at most `limit` bytes of it.
  std::size_t load(Mux& from, std::size_t limit = SIZE_MAX) {
    Bytes bytes = from.output();
    std::size_t count = std::min(limit, bytes.size());
    bytes_.insert(bytes_.end(), bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(count));
    from.output_sent(count);
    return count;
  }
  // Gives at most `limit` bytes to `to`.
  std::size_t unload(Mux& to, std::size_t limit = SIZE_MAX) {
    MutableBytes space = to.input_space();
    std::size_t count = std::min({limit, bytes_.size(), space.size()});
    std::copy_n(bytes_.begin(), count, space.begin());
    bytes_.erase(bytes_.begin(), bytes_.begin() + static_cast<std::ptrdiff_t>(count));
    to.input_received(count);
    return count;
  }
  void put(Bytes bytes) { bytes_.insert(bytes_.end(), bytes.begin(), bytes.end()); }
  // Loses the first `count` bytes.
  void drop(std::size_t count) {
    bytes_.erase(bytes_.begin(),
                 bytes_.begin() + static_cast<std::ptrdiff_t>(std::min(count, bytes_.size())));
  }
  [[nodiscard]] std::size_t size() const { return bytes_.size(); }

 private:
  std::deque<std::byte> bytes_;
};

struct MuxPair {
  explicit MuxPair(std::uint32_t host_window = 64 * 1024, std::uint32_t guest_window = 64 * 1024,
                   std::size_t max_streams = 4096, std::size_t flight_limit = SIZE_MAX)
      : host({.role = Role::kHost,
              .window = host_window,
              .max_streams = max_streams,
              .flight_limit = flight_limit}),
        guest({.role = Role::kGuest,
               .window = guest_window,
               .max_streams = max_streams,
               .flight_limit = flight_limit}) {}

  // All events there are now. Fails the test on a protocol error.
  static std::vector<MuxEvent> events(Mux& mux) {
    std::vector<MuxEvent> all;
    while (true) {
      auto event = mux.next_event();
      if (!event) {
        ADD_FAILURE() << event.error().message;
        return all;
      }
      if (!*event) return all;
      all.push_back(**event);
    }
  }

  void connect() {
    guest.greet(nonce_of(1));
    pump_to_host();
    events(host);
    pump_to_guest();
    events(guest);
    ASSERT_TRUE(host.up());
    ASSERT_TRUE(guest.up());
  }

  // Everything one end wants to send arrives at the other, as far as it fits.
  void pump_to_host() {
    while (to_host.load(guest) > 0) {
    }
    to_host.unload(host);
  }
  void pump_to_guest() {
    while (to_guest.load(host) > 0) {
    }
    to_guest.unload(guest);
  }

  Mux host;
  Mux guest;
  Pipe to_host;
  Pipe to_guest;
};

}  // namespace gondolin::wire
