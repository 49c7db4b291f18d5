// The bytes of one direction of one connection: received, not yet done with.
//
// Small at first, so that a thousand idle connections cost little; it grows to its
// limit while reads fill it. Bytes never move but in make_room() and release(),
// so views of them stay good while more is read behind them.
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string_view>

#include "base/bytes.hpp"

namespace gondolin::ingress {

class Buffer {
 public:
  // Holds at most `limit` bytes. Allocates at the first make_room().
  explicit Buffer(std::size_t limit) : limit_(limit) {}

  [[nodiscard]] std::string_view view() const { return {memory_.get() + begin_, end_ - begin_}; }
  [[nodiscard]] std::span<char> bytes() { return {memory_.get() + begin_, end_ - begin_}; }
  [[nodiscard]] std::size_t size() const { return end_ - begin_; }
  [[nodiscard]] bool empty() const { return begin_ == end_; }

  // Where the next bytes go; empty if make_room() is needed, or of no use.
  [[nodiscard]] MutableBytes room() {
    return std::as_writable_bytes(std::span(memory_.get() + end_, capacity_ - end_));
  }
  // `n` bytes were put at the front of room().
  void commit(std::size_t n);
  // Forgets the first `n` bytes.
  void consume(std::size_t n) { begin_ += n; }

  // Makes room() as large as is sensible by moving the bytes, or the memory. To be
  // called when nothing refers to the bytes or the room.
  void make_room();
  // Forgets all bytes, and gives the memory back unless it is as small as at first;
  // under the same condition.
  void clear();
  // Gives the memory back if the buffer is empty; under the same condition.
  void release();

 private:
  static constexpr std::size_t kFirst = 4 * 1024;
  static constexpr std::size_t kGrowth = 4;

  void reallocate(std::size_t capacity);

  std::unique_ptr<char[]> memory_;
  std::size_t limit_;
  std::size_t capacity_ = 0;
  std::size_t begin_ = 0;
  std::size_t end_ = 0;
  bool filled_ = false;  // a read took all there was room for: more room would do good
};

}  // namespace gondolin::ingress
