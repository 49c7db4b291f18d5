#include "vm/console_ring.hpp"

#include "base/debug_log.hpp"

namespace gondolin::vm {

void ConsoleRing::add(Bytes bytes) {
  for (char byte : as_text(bytes)) {
    if (byte == '\n') {
      end_line();
    } else if (current_.size() < kMaxLine) {
      current_.push_back(byte);
    }
  }
}

void ConsoleRing::end_line() {
  while (current_.ends_with('\r'))
    current_.pop_back();
  if (!current_.empty()) {
    lines_.push_back(printable(current_));
    if (lines_.size() > max_lines_) lines_.pop_front();
  }
  current_.clear();
}

std::vector<std::string> ConsoleRing::lines() const {
  std::vector<std::string> all(lines_.begin(), lines_.end());
  if (!current_.empty()) all.push_back(printable(current_));
  return all;
}

}  // namespace gondolin::vm
