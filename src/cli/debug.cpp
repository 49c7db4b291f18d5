#include <cstdio>
#include <cstdlib>
#include <string>

#include <fmt/format.h>

#include "cli/commands.hpp"

namespace gondolin::cli {

DebugOptions debug_options_from_environment() {
  const char* topics = std::getenv("GONDOLIN_DEBUG");
  if (topics == nullptr || *topics == '\0') return {};
  return DebugOptions{
      .topics = topics,
      .sink =
          [](std::string_view topic, std::string_view line) {
            // One call, so that lines of different threads do not mix.
            std::string text = fmt::format("gondolin {}: {}\n", topic, line);
            std::fwrite(text.data(), 1, text.size(), stderr);
          },
  };
}

}  // namespace gondolin::cli
