// One end of a port: the handshake over a FrameReader. It turns bytes into frames
// and into the news that the other end is new. The mux is built on it; the fs
// port uses it as it is.
//
// It does no I/O. The owner puts bytes in with space() and received(), takes
// events out with next() until there is none, and sends what the events ask for.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>

#include "base/bytes.hpp"
#include "base/result.hpp"
#include "wire/frame.hpp"
#include "wire/frame_reader.hpp"
#include "wire/handshake.hpp"

namespace gondolin::wire {

struct LinkEvent {
  enum class Kind : std::uint8_t {
    kUp,     // the other end is there and new; whatever went on before is void.
             // The host must send welcome() before anything else.
    kRenew,  // guest only: the host end is new; whatever went on before is void.
             // The guest must call greet() with a fresh nonce.
    kFrame,  // a frame that is not part of the handshake
  };
  Kind kind;
  Frame frame{};  // of kFrame; the payload is valid until the next space()
};

class Link {
 public:
  // `window` is what this end will receive on a new stream (0 on the fs port).
  Link(Role role, std::uint32_t window, std::size_t buffer = 2 * kMaxFrame);

  // Guest: starts over. Returns the HELLO to send; every byte received before
  // the WELCOME that answers it is discarded. `nonce` must be fresh and random.
  [[nodiscard]] GreetingFrame greet(const Nonce& nonce);

  // Host: the RENEW to send first of all, and the WELCOME to send after kUp.
  [[nodiscard]] static std::array<std::byte, kHeaderSize> renew() { return encode_renew(); }
  [[nodiscard]] GreetingFrame welcome() const;

  // Host: the other end broke a rule, or stopped in the middle of a frame. Everything is
  // discarded up to its next HELLO, which may have been received already.
  void lose();
  // Whether the last bytes received are the beginning of a frame. Only of meaning when
  // next() has returned nothing.
  [[nodiscard]] bool in_frame() const { return up_ && !reader_.buffered().empty(); }

  // Whether the other end is known to be there, and the window it announced.
  [[nodiscard]] bool up() const { return up_; }
  [[nodiscard]] std::uint32_t peer_window() const { return peer_.window; }

  // As FrameReader has them.
  [[nodiscard]] MutableBytes space() { return reader_.space(); }
  void received(std::size_t count) { reader_.received(count); }

  // The next event, or nothing when more bytes are needed. kProtocol when the
  // other end breaks the rules of framing, of the handshake or of who may send
  // what; the host may go on with lose() then.
  [[nodiscard]] Result<std::optional<LinkEvent>> next();
  // The frame that next() would return as kFrame, if it is there as a whole and in order so
  // far, and its removal.
  [[nodiscard]] std::optional<Frame> peek() const;
  void skip(const Frame& frame) { reader_.skip(kHeaderSize + frame.payload.size()); }

 private:
  // Skips to the handshake frame that is waited for; false when it is not there yet.
  [[nodiscard]] bool synchronize();
  [[nodiscard]] Result<std::optional<LinkEvent>> accept(const Frame& frame);

  Role role_;
  std::uint32_t window_;
  FrameReader reader_;
  Nonce nonce_{};
  Greeting peer_{};
  bool greeted_ = false;  // guest: greet() was called
  bool up_ = false;
};

}  // namespace gondolin::wire
