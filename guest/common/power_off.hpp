// How a daemon asks init to take the machine down in order.
#pragma once

#include <signal.h>

namespace gondolin::guest {

// Sent to process 1: end every process, write back, unmount, power off.
inline constexpr int kPowerOffSignal = SIGUSR2;

}  // namespace gondolin::guest
