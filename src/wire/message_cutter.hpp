// Cuts one direction of a stream into messages: u32 length, then that many bytes.
#pragma once

#include <cstddef>
#include <optional>

#include "base/bytes.hpp"
#include "base/result.hpp"

namespace gondolin::wire {

inline constexpr std::size_t kLengthSize = 4;

// Holds at most one message, whose memory grows with what has really arrived.
class MessageCutter {
 public:
  // `longest` is the longest message, its length field not counted.
  explicit MessageCutter(std::size_t longest) : longest_(longest) {}

  // Takes the bytes of `input` that belong to the current message, up to its end,
  // and returns how many those were. kProtocol for a length of 0 or above the longest.
  [[nodiscard]] Result<std::size_t> feed(Bytes input);
  // The message without its length, once it is complete. Valid until drop().
  [[nodiscard]] std::optional<Bytes> whole() const;
  // Begins with the next message.
  void drop() { buffer_.clear(); }
  // Whether the stream may end here: no message has begun.
  [[nodiscard]] bool idle() const { return buffer_.empty(); }

 private:
  std::size_t longest_;
  ByteBuffer buffer_;
};

}  // namespace gondolin::wire
