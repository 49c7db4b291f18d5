// What is said on the mounts port: the target of its streams, and the messages on them.
//
// The host opens one stream for each directory it offers, in the order in which they are
// to be mounted; OPENED carries 0 once the mount is there, or the errno of what failed.
// From then on the stream carries FUSE messages, requests to the host and answers to the
// guest, one after another: each begins with its own length. Whoever ends the stream ends
// the mount.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

#include "base/bytes.hpp"
#include "base/result.hpp"
#include "wire/fuse_relay.hpp"

namespace gondolin::wire {

enum class MountAccess : std::uint8_t { kReadWrite = 1, kReadOnly = 2 };

struct MountTarget {
  std::string path{};  // absolute, not "/"; made with its parents if it is not there
  MountAccess access = MountAccess::kReadWrite;
  bool operator==(const MountTarget&) const = default;
};

[[nodiscard]] ByteBuffer encode_mount_target(const MountTarget& target);
[[nodiscard]] Result<MountTarget> decode_mount_target(Bytes payload);

// Cuts one direction of a stream into FUSE messages. Holds at most one, whose memory
// grows with what has really arrived.
class FuseMessageCutter {
 public:
  // `shortest` is the size of the header that every message begins with.
  explicit FuseMessageCutter(std::size_t shortest) : shortest_(shortest) {}

  // Takes bytes of `input` up to the end of the current message and returns how many.
  // kProtocol for a length below the shortest or above kMaxFuseMessage.
  [[nodiscard]] Result<std::size_t> feed(Bytes input);
  // The message, its length included, once it is complete; aligned to 8 bytes and
  // the caller's to change. Valid until drop(), which begins with the next one.
  [[nodiscard]] std::optional<MutableBytes> whole();
  void drop() { buffer_.clear(); }

 private:
  std::size_t shortest_;
  ByteBuffer buffer_;
};

}  // namespace gondolin::wire
