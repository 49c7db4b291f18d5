#include "guest/common/eager_wait.hpp"

#include <cpuid.h>
#include <unistd.h>

#include <array>
#include <cstring>
#include <string_view>

namespace gondolin::guest {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::chrono::microseconds kPatience{400};

// What a hypervisor says that it is; QEMU does when it emulates.
bool emulated() {
  constexpr unsigned kHypervisor = 0x4000'0000;
  std::array<unsigned, 4> said{};
  __cpuid(kHypervisor, said[0], said[1], said[2], said[3]);
  constexpr std::string_view kName = "TCGTCGTCGTCG";
  return std::memcmp(&said[1], kName.data(), kName.size()) == 0;
}

}  // namespace

EagerWait::EagerWait() : helps_(emulated() && ::sysconf(_SC_NPROCESSORS_ONLN) > 1) {}

Result<std::span<const epoll_event>> EagerWait::wait(
    Epoll& epoll, std::optional<std::chrono::milliseconds> limit) {
  if (!helps_ || limit) return epoll.wait(limit);
  const auto begin = Clock::now();
  while (quick_ && Clock::now() - begin < kPatience) {
    auto events = epoll.wait(std::chrono::milliseconds(0));
    if (!events || !events->empty()) return events;
  }
  auto events = epoll.wait(limit);
  quick_ = Clock::now() - begin < kPatience;
  return events;
}

}  // namespace gondolin::guest
