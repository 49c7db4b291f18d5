// An allocation that fails, of the calling thread's own choosing.
#pragma once

#include <cstddef>

namespace gondolin::test {

// The allocation of this thread after `allocations` more throws std::bad_alloc; those behind
// it succeed again.
void fail_after(std::size_t allocations);

// Takes that back. True when the failure has happened.
bool stop_failing();

// How many this thread has made so far, and how many of them are not freed (those that another
// thread freed count there).
[[nodiscard]] std::size_t allocations_taken();
[[nodiscard]] long allocations_live();

}  // namespace gondolin::test
