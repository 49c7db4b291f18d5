// The frequency of this machine's time stamp counter.
//
// An emulated guest reads the host's counter but has nothing to tell its speed by:
// its calibration against an emulated timer is slow, wrong on a loaded machine, and
// hangs now and then. The kernel takes the figure from its command line instead.
#pragma once

#include <cstdint>
#include <optional>

namespace gondolin::vm {

// In kHz. Asked of the processor (CPUID leaf 0x15) or the hypervisor (leaf
// 0x40000010) where they tell, else measured against the monotonic clock, which
// takes 10 ms and is right to some parts in a million. Nothing when the counter does
// not run at a constant speed.
[[nodiscard]] std::optional<std::uint32_t> host_tsc_khz();

}  // namespace gondolin::vm
