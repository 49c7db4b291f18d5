// A program on a pseudo-terminal, as a person at a keyboard has it.
#pragma once

#include <chrono>
#include <string>
#include <vector>

namespace gondolin::test {

class TerminalSession {
 public:
  explicit TerminalSession(const std::vector<std::string>& argv);
  // Kills the program if it still runs.
  ~TerminalSession();
  TerminalSession(const TerminalSession&) = delete;
  TerminalSession& operator=(const TerminalSession&) = delete;

  void type(const std::string& text);
  void resize(unsigned short rows, unsigned short columns);

  // Waits until the screen has shown `text` since the last call, and returns what
  // was shown up to its end; fails the test when it does not come within `limit`.
  std::string expect(const std::string& text,
                     std::chrono::seconds limit = std::chrono::seconds(120));

  // Waits for the program's end and returns its status, 128 plus the signal.
  int wait();
  void kill(int signal) const;

  // Whether the terminal is in raw mode.
  [[nodiscard]] bool raw() const;

 private:
  int pid_ = -1;
  int screen_ = -1;
  // Kept open so that the terminal outlives the program.
  int keyboard_ = -1;
  std::string shown_;
};

}  // namespace gondolin::test
