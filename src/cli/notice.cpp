#include "cli/notice.hpp"

#include <termios.h>
#include <unistd.h>

#include <cstdio>
#include <string>

#include "cli/commands.hpp"

namespace gondolin::cli {

std::string_view line_end() {
  termios settings{};
  if (::tcgetattr(STDERR_FILENO, &settings) != 0) return "\n";
  return (settings.c_oflag & OPOST) != 0 ? "\n" : "\r\n";
}

void print_notice(std::string_view line) {
  std::string text(line);
  text += line_end();
  std::fwrite(text.data(), 1, text.size(), stderr);
}

void print_error(const std::exception& error) {
  print_notice(std::string("gondolin: ") + error.what());
}

}  // namespace gondolin::cli
