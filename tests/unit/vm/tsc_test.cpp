#include "vm/tsc.hpp"

#include <x86intrin.h>

#include <chrono>
#include <thread>

#include <gtest/gtest.h>

namespace gondolin::vm {
namespace {

TEST(HostTsc, AgreesWithTheClock) {
  auto khz = host_tsc_khz();
  if (!khz) GTEST_SKIP() << "this machine's counter has no constant speed";
  auto begin = std::chrono::steady_clock::now();
  std::uint64_t ticks = __rdtsc();
  while (std::chrono::steady_clock::now() - begin < std::chrono::milliseconds(50)) {
  }
  ticks = __rdtsc() - ticks;
  std::chrono::duration<double, std::milli> elapsed = std::chrono::steady_clock::now() - begin;
  EXPECT_NEAR(static_cast<double>(ticks) / elapsed.count(), *khz, 0.02 * *khz);
}

}  // namespace
}  // namespace gondolin::vm
