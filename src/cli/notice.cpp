#include "cli/notice.hpp"

#include <unistd.h>

#include <cstdio>
#include <string>

#include "cli/commands.hpp"

namespace gondolin::cli {

void print_notice(std::string_view line) {
  std::string text(line);
  // A raw terminal needs the carriage return, any other ignores it.
  text += ::isatty(STDERR_FILENO) == 1 ? "\r\n" : "\n";
  std::fwrite(text.data(), 1, text.size(), stderr);
}

void print_error(const std::exception& error) {
  print_notice(std::string("gondolin: ") + error.what());
}

}  // namespace gondolin::cli
