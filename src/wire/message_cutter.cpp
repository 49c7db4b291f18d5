#include "wire/message_cutter.hpp"

#include <algorithm>
#include <string>

#include "wire/frame.hpp"

namespace gondolin::wire {

Result<std::size_t> MessageCutter::feed(Bytes input) {
  std::size_t taken = 0;
  auto fill_to = [&](std::size_t size) {
    if (buffer_.size() >= size) return;
    std::size_t count = std::min(size - buffer_.size(), input.size() - taken);
    Bytes piece = input.subspan(taken, count);
    buffer_.insert(buffer_.end(), piece.begin(), piece.end());
    taken += count;
  };
  fill_to(kLengthSize);
  if (buffer_.size() < kLengthSize) return taken;
  std::size_t length = load_u32(buffer_);
  if (length == 0 || length > longest_) {
    return fail(ErrorCode::kProtocol, "control message of " + std::to_string(length) + " bytes");
  }
  fill_to(kLengthSize + length);
  return taken;
}

std::optional<Bytes> MessageCutter::whole() const {
  if (buffer_.size() < kLengthSize) return std::nullopt;
  std::size_t length = load_u32(buffer_);
  if (buffer_.size() < kLengthSize + length) return std::nullopt;
  return Bytes(buffer_).subspan(kLengthSize);
}

}  // namespace gondolin::wire
