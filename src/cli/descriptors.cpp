#include <sys/resource.h>

#include "cli/commands.hpp"

namespace gondolin::cli {

void raise_descriptor_limit() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  // Where this fails the limit stays as it was, and the gateway lives with it.
  static_cast<void>(::setrlimit(RLIMIT_NOFILE, &limit));
}

}  // namespace gondolin::cli
