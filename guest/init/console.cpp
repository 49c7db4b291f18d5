#include "guest/init/console.hpp"

#include <fcntl.h>
#include <time.h>
#include <unistd.h>

#include <cstdio>
#include <string>

#include "guest/init/files.hpp"

namespace gondolin::init {
namespace {

// One write a line, so that lines of init and its daemons do not mix. A console
// that takes no more bytes loses the line: init waits for nobody.
void write_line(int fd, const std::string& line) {
  static_cast<void>(::write(fd, line.data(), line.size()));
}

}  // namespace

Console::Console() : fd_(::open("/dev/console", O_WRONLY | O_NOCTTY | O_CLOEXEC)) {
  const std::string command_line = " " + read_file("/proc/cmdline").value_or("") + " ";
  for (std::size_t at = command_line.find(" gondolin.debug"); at != std::string::npos;
       at = command_line.find(" gondolin.debug", at + 1)) {
    const char after = command_line[at + sizeof " gondolin.debug" - 1];
    debug_ = debug_ || after == ' ' || after == '\n';
  }
}

void Console::error(std::string_view text) const {
  write_line(fd_.get(), "gondolin init: " + std::string(text) + "\n");
}

void Console::debug(std::string_view text) const {
  if (!debug_) return;
  timespec now{};
  ::clock_gettime(CLOCK_BOOTTIME, &now);
  char time[32];
  std::snprintf(time, sizeof time, "[%ld.%03ld] ", static_cast<long>(now.tv_sec),
                now.tv_nsec / 1'000'000);
  write_line(fd_.get(), "gondolin init: " + (time + std::string(text)) + "\n");
}

}  // namespace gondolin::init
