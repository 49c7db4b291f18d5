// The user's terminal: its size, and raw mode that always ends.
#pragma once

#include <termios.h>

#include "gondolin/vm.hpp"

namespace gondolin::cli {

// Whether both standard input and output are a terminal.
[[nodiscard]] bool on_terminal();

// The terminal's size now; 24 by 80 where it does not tell.
[[nodiscard]] TerminalSize terminal_size();

// Raw mode for as long as it lives. A small guardian process puts the terminal
// back when this process ends in any other way, killed included.
class RawTerminal {
 public:
  RawTerminal();
  ~RawTerminal();

  RawTerminal(const RawTerminal&) = delete;
  RawTerminal& operator=(const RawTerminal&) = delete;

 private:
  void start_guardian();

  termios saved_{};
  int guardian_ = -1;  // its pid
  int alive_fd_ = -1;  // a pipe that ends with this process
};

}  // namespace gondolin::cli
