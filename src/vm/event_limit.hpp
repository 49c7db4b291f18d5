// How often a guest may be heard of.
//
// Whatever a guest can cause at will and the user is told in a line, it could cause a
// million times. So there is a burst of lines for what goes wrong by itself, and one a
// second after that; those in between are counted.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <utility>

namespace gondolin::vm {

class EventLimit {
 public:
  using Time = std::chrono::steady_clock::time_point;

  static constexpr unsigned kBurst = 10;
  static constexpr std::chrono::seconds kInterval{1};

  // Whether an event of the time `now` may be told: then the number of those that were
  // not since the last one, else nothing. `now` never goes back.
  [[nodiscard]] std::optional<std::uint64_t> admit(Time now) {
    if (full_at_ < now) full_at_ = now;
    if (full_at_ - now > (kBurst - 1) * kInterval) {
      ++withheld_;
      return std::nullopt;
    }
    full_at_ += kInterval;
    return std::exchange(withheld_, 0);
  }

 private:
  Time full_at_{};  // when the whole burst is there again
  std::uint64_t withheld_ = 0;
};

}  // namespace gondolin::vm
