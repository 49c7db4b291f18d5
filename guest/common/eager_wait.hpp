// Waits for an epoll set, and for a moment looks again and again before it sleeps.
//
// An emulated processor without work sleeps in a thread of the host; to wake it takes an
// interrupt, emulated on both sides, and the host's scheduler: 100 µs and more of a round trip
// of 700, and more of the processors' time than looking costs. So under emulation, while
// what is waited for comes quickly, it is looked for. A wait that lasts ends that until the
// next short one, so that slow servers lose nothing by it. Of one processor the others need
// every moment, and where nothing is emulated sleeping is cheap: there it just waits.
#pragma once

#include <chrono>
#include <optional>
#include <span>

#include "guest/common/epoll.hpp"

namespace gondolin::guest {

class EagerWait {
 public:
  EagerWait();

  // As Epoll::wait().
  [[nodiscard]] Result<std::span<const epoll_event>> wait(
      Epoll& epoll, std::optional<std::chrono::milliseconds> limit);

 private:
  bool helps_;          // on this machine
  bool quick_ = false;  // the last wait was short
};

}  // namespace gondolin::guest
