// Lines for the user, on stderr, that stay readable while the terminal is raw.
#pragma once

#include <string_view>

namespace gondolin::cli {

// Writes `line` and a line end in one go. May be called from any thread.
void print_notice(std::string_view line);

}  // namespace gondolin::cli
