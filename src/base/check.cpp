#include "base/check.hpp"

#include <cstdio>
#include <cstdlib>

namespace gondolin {

void check_failed(const char* condition, const char* file, int line) {
  std::fprintf(stderr, "gondolin: bug: %s does not hold at %s:%d; please report it\n", condition,
               file, line);
  std::abort();
}

}  // namespace gondolin
