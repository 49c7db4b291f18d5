// The frames of a port on their way out: one buffer that is being filled and one
// that is being written. Neither grows, and frames are never split between them,
// so what is handed out is always whole frames.
#pragma once

#include <cstddef>
#include <memory>
#include <utility>

#include "base/bytes.hpp"
#include "wire/frame.hpp"

namespace gondolin::wire {

class OutputBuffer {
 public:
  // `capacity` is that of each buffer, in bytes, kMaxFrame or more.
  explicit OutputBuffer(std::size_t capacity);

  // Bytes that still fit, headers included.
  [[nodiscard]] std::size_t room() const { return capacity_ - filling_.size; }

  // Appends a frame; it must fit. header.length is set from the payload.
  void put(FrameHeader header, Bytes payload);
  // Appends bytes that are frames already; they must fit.
  void put_encoded(Bytes frames);

  // A place for the payload of the next frame, at most `limit` and kMaxPayload
  // bytes and as many as fit; empty when none does. put_reserved() makes a frame
  // of its first `count` bytes; nothing else may be put in between.
  [[nodiscard]] MutableBytes reserve(std::size_t limit);
  void put_reserved(FrameHeader header, std::size_t count);

  // What to write next, empty when there is nothing. It stays where it is until
  // sent() was told about all of it.
  [[nodiscard]] Bytes front();
  void sent(std::size_t count);

  // Drops everything that front() has not handed out.
  void clear() { filling_.size = 0; }

 private:
  struct Half {
    std::unique_ptr<std::byte[]> bytes;
    std::size_t size = 0;
  };

  std::size_t capacity_;
  Half filling_;
  Half leaving_;
  std::size_t left_ = 0;  // bytes of leaving_ that were sent
};

}  // namespace gondolin::wire
