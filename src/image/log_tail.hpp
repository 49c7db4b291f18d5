// What a program wrote, for when it fails.
#pragma once

#include <deque>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

#include "base/debug_log.hpp"

namespace gondolin::image {

// The last lines of a log, for when it turns out that they matter.
class LogTail {
 public:
  void add(std::string_view line) {
    lines_.emplace_back(printable(line));
    if (lines_.size() > kLines) lines_.pop_front();
  }

  // Each in a line of its own, indented.
  [[nodiscard]] std::string text() const {
    std::string text;
    for (const std::string& line : lines_)
      text += "\n  " + line;
    return text;
  }

 private:
  static constexpr std::size_t kLines = 12;

  std::deque<std::string> lines_;
};

[[nodiscard]] inline std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream stream(text);
  for (std::string line; std::getline(stream, line);)
    lines.push_back(line);
  return lines;
}

}  // namespace gondolin::image
