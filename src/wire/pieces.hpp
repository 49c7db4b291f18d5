// Bytes in the order they came, in a few places: the payloads of frames that followed each
// other. It refers to them and holds none.
#pragma once

#include <array>
#include <cstddef>
#include <span>

#include "base/bytes.hpp"
#include "base/check.hpp"

namespace gondolin::wire {

class Pieces {
 public:
  static constexpr std::size_t kMost = 16;

  Pieces() = default;
  explicit Pieces(Bytes bytes) { add(bytes); }

  [[nodiscard]] bool empty() const { return begin_ == end_; }
  // No more can be added.
  [[nodiscard]] bool full() const { return end_ == kMost; }
  // The first piece, which is never empty; nothing when there is none.
  [[nodiscard]] Bytes front() const { return empty() ? Bytes{} : places_[begin_]; }
  [[nodiscard]] std::span<const Bytes> all() const& {
    return std::span(places_).subspan(begin_, end_ - begin_);
  }
  std::span<const Bytes> all() const&& = delete;  // it would be gone before they are used

  void add(Bytes bytes) {
    GONDOLIN_CHECK(!full());
    if (!bytes.empty()) places_[end_++] = bytes;
  }
  void clear() { begin_ = end_ = 0; }

  // Removes the first `count` bytes; there are as many.
  void consume(std::size_t count) {
    while (count > 0) {
      GONDOLIN_CHECK(!empty());
      Bytes& first = places_[begin_];
      if (count < first.size()) {
        first = first.subspan(count);
        return;
      }
      count -= first.size();
      ++begin_;
    }
    if (empty()) clear();
  }

 private:
  std::array<Bytes, kMost> places_{};
  std::size_t begin_ = 0;
  std::size_t end_ = 0;
};

}  // namespace gondolin::wire
