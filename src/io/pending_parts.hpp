// What is left of a gathered write that the socket takes piece by piece.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <span>

#include "base/bytes.hpp"
#include "base/check.hpp"

namespace gondolin {

// Views of the parts; the bytes must stay where they are while it is used.
template <std::size_t kMost>
class PendingParts {
 public:
  PendingParts() = default;
  explicit PendingParts(std::span<const Bytes> parts) : end_(parts.size()) {
    GONDOLIN_CHECK(parts.size() <= kMost);
    std::copy(parts.begin(), parts.end(), parts_.begin());
    skip_empty();
  }

  [[nodiscard]] bool done() const { return begin_ == end_; }
  [[nodiscard]] std::span<const Bytes> get() const {
    return std::span(parts_).subspan(begin_, end_ - begin_);
  }

  // The first `n` bytes are on their way.
  void advance(std::size_t n) {
    while (n > 0) {
      GONDOLIN_CHECK(!done());
      const std::size_t taken = std::min(n, parts_[begin_].size());
      parts_[begin_] = parts_[begin_].subspan(taken);
      n -= taken;
      skip_empty();
    }
  }

 private:
  void skip_empty() {
    while (begin_ < end_ && parts_[begin_].empty())
      ++begin_;
  }

  std::array<Bytes, kMost> parts_;
  std::size_t begin_ = 0;
  std::size_t end_ = 0;
};

}  // namespace gondolin
