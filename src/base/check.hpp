// CHECK(condition): an assertion that stays on in every build. It is for states
// that only a bug of ours can cause, never for what a guest, a client or the
// machine sends; those are values of Result.
#pragma once

namespace gondolin {

// Prints the failed condition with its place on stderr and aborts.
[[noreturn]] void check_failed(const char* condition, const char* file, int line);

}  // namespace gondolin

#define GONDOLIN_CHECK(condition) \
  ((condition) ? static_cast<void>(0) : ::gondolin::check_failed(#condition, __FILE__, __LINE__))
