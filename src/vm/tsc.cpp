#include "vm/tsc.hpp"

#include <cpuid.h>
#include <x86intrin.h>

#include <chrono>
#include <cmath>
#include <thread>

namespace gondolin::vm {
namespace {

struct CpuId {
  unsigned eax = 0;
  unsigned ebx = 0;
  unsigned ecx = 0;
  unsigned edx = 0;
};

CpuId cpuid(unsigned leaf) {
  CpuId id;
  __cpuid_count(leaf, 0, id.eax, id.ebx, id.ecx, id.edx);
  return id;
}

bool tsc_is_constant() {
  return cpuid(0x80000000).eax >= 0x80000007 && (cpuid(0x80000007).edx & (1U << 8)) != 0;
}

bool under_hypervisor() {
  return (cpuid(1).ecx & (1U << 31)) != 0;
}

std::optional<std::uint32_t> from_processor() {
  if (cpuid(0).eax < 0x15) return std::nullopt;
  CpuId ratio = cpuid(0x15);  // the counter runs at crystal (ecx, Hz) * ebx / eax
  if (ratio.eax == 0 || ratio.ebx == 0 || ratio.ecx == 0) return std::nullopt;
  std::uint64_t hertz = std::uint64_t{ratio.ecx} * ratio.ebx / ratio.eax;
  return static_cast<std::uint32_t>(hertz / 1000);
}

std::optional<std::uint32_t> from_hypervisor() {
  if (!under_hypervisor() || cpuid(0x40000000).eax < 0x40000010) return std::nullopt;
  std::uint32_t khz = cpuid(0x40000010).eax;
  if (khz == 0) return std::nullopt;
  return khz;
}

struct Sample {
  std::chrono::steady_clock::time_point time;
  std::uint64_t ticks = 0;
};

// The clock and the counter at one moment: of a few tries, the one in which the
// reading of the clock took least time.
Sample sample() {
  Sample best;
  std::uint64_t least = ~std::uint64_t{0};
  for (int i = 0; i < 8; ++i) {
    std::uint64_t before = __rdtsc();
    auto now = std::chrono::steady_clock::now();
    std::uint64_t after = __rdtsc();
    if (after - before >= least) continue;
    least = after - before;
    best = {now, before + least / 2};
  }
  return best;
}

std::optional<std::uint32_t> measured() {
  Sample begin = sample();
  std::this_thread::sleep_for(std::chrono::milliseconds(10));
  Sample end = sample();
  std::chrono::duration<double, std::milli> elapsed = end.time - begin.time;
  double khz = static_cast<double>(end.ticks - begin.ticks) / elapsed.count();
  if (khz < 100e3 || khz > 10e6) return std::nullopt;  // no machine of ours: 0.1 to 10 GHz
  return static_cast<std::uint32_t>(std::lround(khz));
}

}  // namespace

std::optional<std::uint32_t> host_tsc_khz() {
  if (auto khz = from_processor()) return khz;
  if (auto khz = from_hypervisor()) return khz;
  if (!tsc_is_constant() && !under_hypervisor()) return std::nullopt;
  return measured();
}

}  // namespace gondolin::vm
