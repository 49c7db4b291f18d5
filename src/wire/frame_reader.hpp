// Cuts the bytes of a port into frames.
//
// The owner reads from the port straight into space(), so payloads are handed out
// where they arrived, without a copy. The buffer never grows: it holds at least
// one frame of the largest size, and a header that announces more is an error
// before a byte of its payload is waited for.
#pragma once

#include <cstddef>
#include <memory>
#include <optional>

#include "base/bytes.hpp"
#include "base/result.hpp"
#include "wire/frame.hpp"

namespace gondolin::wire {

struct Frame {
  FrameHeader header;
  Bytes payload;  // valid until the next call of FrameReader::space()
};

class FrameReader {
 public:
  // `capacity` is in bytes, kMaxFrame or more.
  explicit FrameReader(std::size_t capacity = 2 * kMaxFrame);

  // Where to put the next bytes; never empty after next() has returned nothing.
  // Invalidates every payload handed out so far.
  [[nodiscard]] MutableBytes space();
  // The first `count` bytes of the last space() have been filled.
  void received(std::size_t count);

  // The next whole frame; nothing when more bytes are needed. kProtocol on a
  // header that decode_header refuses; it stays, so that only skip() leads further.
  [[nodiscard]] Result<std::optional<Frame>> next();
  // The same, and leaves it there.
  [[nodiscard]] Result<std::optional<Frame>> peek() const;

  // The bytes not yet handed out, for those who look for a pattern instead of
  // frames, and their removal.
  [[nodiscard]] Bytes buffered() const;
  void skip(std::size_t count);

 private:
  std::unique_ptr<std::byte[]> buffer_;
  std::size_t capacity_;
  std::size_t begin_ = 0;  // of the bytes not handed out
  std::size_t end_ = 0;
};

}  // namespace gondolin::wire
