// The only network of the guest.
#pragma once

#include "base/result.hpp"

namespace gondolin::init {

// Brings `lo` up. The kernel then gives it 127.0.0.1/8 and ::1/128 by itself.
[[nodiscard]] Status bring_up_loopback();

}  // namespace gondolin::init
