// Latencies, counted in buckets that are at most 1/64 wide of their value: constant
// memory, and nothing on the hot path but an increment.
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>

namespace gondolin::bench {

class Histogram {
 public:
  void add(std::uint64_t nanoseconds) {
    ++counts_[index(nanoseconds)];
    ++total_;
  }
  [[nodiscard]] std::uint64_t total() const { return total_; }

  // The value that `share` (0 to 1) of all are not above, 0 if there is none.
  [[nodiscard]] std::uint64_t quantile(double share) const {
    const auto wanted = static_cast<std::uint64_t>(share * static_cast<double>(total_));
    std::uint64_t seen = 0;
    for (std::size_t i = 0; i < counts_.size(); ++i) {
      seen += counts_[i];
      if (counts_[i] > 0 && seen >= wanted) return value(i);
    }
    return 0;
  }

 private:
  static constexpr unsigned kBits = 6;  // of precision
  static constexpr std::size_t kStep = std::size_t{1} << kBits;

  static std::size_t index(std::uint64_t value) {
    if (value < kStep) return static_cast<std::size_t>(value);
    const auto shift = static_cast<unsigned>(std::bit_width(value)) - 1 - kBits;
    return (shift + 1) * kStep + static_cast<std::size_t>((value >> shift) - kStep);
  }
  static std::uint64_t value(std::size_t index) {
    if (index < kStep) return index;
    const std::size_t shift = index / kStep - 1;
    return static_cast<std::uint64_t>(index % kStep + kStep) << shift;
  }

  std::array<std::uint64_t, (64 - kBits + 1) * kStep> counts_{};
  std::uint64_t total_ = 0;
};

}  // namespace gondolin::bench
