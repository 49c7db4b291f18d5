#include "wire/mounts.hpp"

#include <algorithm>

#include "wire/byte_codec.hpp"
#include "wire/files.hpp"
#include "wire/frame.hpp"

namespace gondolin::wire {

ByteBuffer encode_mount_target(const MountTarget& target) {
  ByteWriter writer;
  writer.string(target.path);
  writer.choice(target.access);
  return writer.take();
}

Result<MountTarget> decode_mount_target(Bytes payload) {
  ByteReader reader(payload);
  MountTarget target{.path = reader.string()};
  target.access = reader.choice(MountAccess::kReadOnly);
  if (!reader.complete() || !is_guest_path(target.path) || target.path == "/") {
    return fail(ErrorCode::kProtocol, "malformed target of a mount");
  }
  return target;
}

Result<std::size_t> FuseMessageCutter::feed(Bytes input) {
  std::size_t taken = 0;
  auto fill_to = [&](std::size_t size) {
    if (buffer_.size() >= size) return;
    const std::size_t count = std::min(size - buffer_.size(), input.size() - taken);
    const Bytes piece = input.subspan(taken, count);
    buffer_.insert(buffer_.end(), piece.begin(), piece.end());
    taken += count;
  };
  fill_to(kLengthSize);
  if (buffer_.size() < kLengthSize) return taken;
  const std::size_t length = load_u32(buffer_);
  if (length < shortest_ || length > kMaxFuseMessage) {
    return fail(ErrorCode::kProtocol, "a FUSE message of " + std::to_string(length) + " bytes");
  }
  fill_to(length);
  return taken;
}

std::optional<MutableBytes> FuseMessageCutter::whole() {
  if (buffer_.size() < kLengthSize || buffer_.size() < load_u32(buffer_)) return std::nullopt;
  return MutableBytes(buffer_);
}

}  // namespace gondolin::wire
