// What the host may do to the guest as a whole: make it an individual after it was
// restored from a template, and power it off.
#pragma once

#include "base/result.hpp"
#include "wire/control.hpp"

namespace gondolin::guest {

// Sets the clock, stirs in the entropy, sets host name and machine id, as far as
// `target` holds each. The first failure, with its errno, ends it.
[[nodiscard]] Status prepare_machine(const wire::PrepareTarget& target);

// Asks init to power the machine off in order.
[[nodiscard]] Status power_off();

}  // namespace gondolin::guest
