// The last lines of the guest's console, for error reports.
#pragma once

#include <cstddef>
#include <deque>
#include <string>
#include <vector>

#include "base/bytes.hpp"

namespace gondolin::vm {

// Takes bytes as they come and keeps the last `max_lines` lines of them, each at
// most kMaxLine bytes long (the rest of a longer line is dropped). CR LF and LF end a
// line; empty lines are not kept.
class ConsoleRing {
 public:
  static constexpr std::size_t kMaxLine = 512;

  explicit ConsoleRing(std::size_t max_lines) : max_lines_(max_lines) {}

  void add(Bytes bytes);

  // The lines, oldest first, the unfinished one last; control bytes made visible.
  [[nodiscard]] std::vector<std::string> lines() const;

 private:
  void end_line();

  std::size_t max_lines_;
  std::deque<std::string> lines_;
  std::string current_;
};

}  // namespace gondolin::vm
