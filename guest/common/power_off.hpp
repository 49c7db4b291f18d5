// How a daemon asks init to take the machine down in order.
#pragma once

#include <signal.h>

namespace gondolin::guest {

// Sent to process 1, which ends every process, unmounts and turns the machine off.
inline constexpr int kPowerOffSignal = SIGPWR;

}  // namespace gondolin::guest
