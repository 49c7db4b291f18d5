// The debug log on stderr. It is read by people, or by nobody: a terminal that is held, or
// a pipe that nobody empties or whose reader is gone, costs lines, never the requests
// that they are about.

#include <poll.h>
#include <unistd.h>

#include <climits>
#include <cstdlib>
#include <string>

#include <fmt/format.h>

#include "cli/commands.hpp"
#include "cli/notice.hpp"

namespace gondolin::cli {
namespace {

// A pipe that is ready to be written takes this much at once.
constexpr std::size_t kMostBytes = PIPE_BUF;

// One write, so that lines of different threads do not mix.
void write_line(std::string_view topic, std::string_view line) {
  pollfd ready{STDERR_FILENO, POLLOUT, 0};
  if (::poll(&ready, 1, 0) <= 0 || (ready.revents & POLLOUT) == 0) return;
  std::string text = fmt::format("gondolin {}: {}", topic, line);
  const std::string_view end = line_end();
  if (text.size() > kMostBytes - end.size()) text.resize(kMostBytes - end.size());
  text += end;
  [[maybe_unused]] auto written = ::write(STDERR_FILENO, text.data(), text.size());
}

}  // namespace

DebugOptions debug_options_from_environment() {
  const char* topics = std::getenv("GONDOLIN_DEBUG");
  if (topics == nullptr || *topics == '\0') return {};
  return DebugOptions{.topics = topics, .sink = write_line};
}

}  // namespace gondolin::cli
