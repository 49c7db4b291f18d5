// Lines for the user, on stderr, that stay readable while the terminal is raw.
#pragma once

#include <string_view>

namespace gondolin::cli {

// What ends a line on stderr: a terminal that is raw now, ours or somebody else's, does not
// go back to the first column by itself.
[[nodiscard]] std::string_view line_end();

// Writes `line` and a line end in one go. May be called from any thread.
void print_notice(std::string_view line);

}  // namespace gondolin::cli
