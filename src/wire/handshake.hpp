// How the two ends of a port find each other, again and again.
//
// The guest end comes first. When it starts, or when the host asks for it with
// RENEW, it sends HELLO with a fresh nonce and then throws away every byte until
// it has found the WELCOME that repeats this nonce: whatever a predecessor that
// was killed in the middle of a frame left behind is skipped this way. A HELLO
// tells the host that the guest end is new and everything before it is void; no
// other notice of a restart exists. The host sends RENEW when it starts, because
// a guest restored from a template was up with another host; a guest end that is
// still waiting for its WELCOME skips it like any other byte.
//
// HELLO and WELCOME have the same payload:
//
//   offset  size  field
//   0       8     "gondolin"
//   8       16    nonce, chosen by the guest end
//   24      1     protocol version
//   25      3     zero
//   28      4     bytes the sender is ready to receive on each new stream
//
// The window travels here so that the end that spends it and the end that refills
// it cannot disagree about its size.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "base/bytes.hpp"
#include "base/result.hpp"
#include "wire/frame.hpp"

namespace gondolin::wire {

using Nonce = std::array<std::byte, 16>;

struct Greeting {
  Nonce nonce{};
  std::uint8_t version = kProtocolVersion;
  std::uint32_t window = 0;

  bool operator==(const Greeting&) const = default;
};

inline constexpr std::size_t kGreetingSize = 32;
using GreetingFrame = std::array<std::byte, kHeaderSize + kGreetingSize>;

// A whole HELLO or WELCOME frame; `type` is one of the two.
[[nodiscard]] GreetingFrame encode_greeting(FrameType type, const Greeting& greeting);

// Reads the payload of a HELLO or WELCOME. kProtocol when it is malformed or of
// another protocol version, with a sentence that names both versions.
[[nodiscard]] Result<Greeting> decode_greeting(Bytes payload);

// The first bytes of every HELLO frame, by which a host that has just started
// finds it; and of the one WELCOME that answers `nonce`.
inline constexpr std::size_t kHelloPrefix = kHeaderSize + 8;
inline constexpr std::size_t kWelcomePrefix = kHelloPrefix + sizeof(Nonce);
[[nodiscard]] std::array<std::byte, kHelloPrefix> hello_prefix();
[[nodiscard]] std::array<std::byte, kWelcomePrefix> welcome_prefix(const Nonce& nonce);

// A whole RENEW frame.
[[nodiscard]] std::array<std::byte, kHeaderSize> encode_renew();

}  // namespace gondolin::wire
