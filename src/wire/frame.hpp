// The frame that every byte between host and guest travels in.
//
// A virtio-serial port is one byte stream each way whose guest end may die and
// come back at any moment: its last bytes are then cut anywhere, and no event
// tells the host. So a frame is never longer than one write(2) to the port, which
// the guest's kernel queues whole or not at all; a frame therefore always starts
// at a frame boundary on the host, whatever was killed. Toward the guest the cut
// can be anywhere, which is what the handshake in wire/handshake.hpp is for.
//
//   offset  size  field
//   0       1     type
//   1       1     flags, meaning by type; unknown bits are a protocol error
//   2       2     zero
//   4       4     stream id, 0 for frames of the port as a whole
//   8       4     payload length, at most kMaxPayload
//   12            payload
//
// Integers are little-endian.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "base/bytes.hpp"
#include "base/result.hpp"

namespace gondolin::wire {

inline constexpr std::uint8_t kProtocolVersion = 2;
inline constexpr std::size_t kHeaderSize = 12;
// Linux queues at most 32 KiB of one write(2) to a virtio-serial port as a unit.
inline constexpr std::size_t kMaxFrame = 32 * 1024;
inline constexpr std::size_t kMaxPayload = kMaxFrame - kHeaderSize;

enum class FrameType : std::uint8_t {
  kHello = 1,    // guest to host: a guest end came up; see wire/handshake.hpp
  kWelcome = 2,  // host to guest: the answer
  kOpen = 3,     // host to guest: opens a stream; the payload names its target
  kOpened = 4,   // guest to host: u32 errno of the open, 0 for success
  kData = 5,     // bytes of a stream
  kCredit = 6,   // u32: so many more bytes of DATA may be sent on the stream
  kFin = 7,      // no DATA follows in this direction (half-close)
  kReset = 8,    // u32 reason: the stream is over in both directions
  kMessage = 9,  // a piece of one FUSE message on the fs port
  kRenew = 10,   // host to guest: the host end is new, say HELLO again
};

// Set on every kMessage frame but the last of a message.
inline constexpr std::uint8_t kFlagMore = 1;

// The two ends of a port. The host opens streams, the guest accepts them.
enum class Role : std::uint8_t { kHost, kGuest };

struct FrameHeader {
  FrameType type;
  std::uint8_t flags = 0;
  std::uint32_t stream = 0;
  std::uint32_t length = 0;  // bytes of payload

  bool operator==(const FrameHeader&) const = default;
};

[[nodiscard]] std::array<std::byte, kHeaderSize> encode(const FrameHeader& header);

// Checks everything that can be known of a header alone: the type, the flags
// that type allows, whether it belongs to a stream (id not 0) or to the port
// (id 0), the zero field and the length, which is fixed for most types.
// kProtocol otherwise. `bytes` must be kHeaderSize long.
[[nodiscard]] Result<FrameHeader> decode_header(Bytes bytes);

// Whether the end with `role` may send frames of `type` at all.
[[nodiscard]] bool may_send(Role role, FrameType type);

// Little-endian integers, as frames and control messages hold them. The span
// must have at least four bytes.
[[nodiscard]] std::uint32_t load_u32(Bytes bytes);
void store_u32(MutableBytes bytes, std::uint32_t value);

}  // namespace gondolin::wire
