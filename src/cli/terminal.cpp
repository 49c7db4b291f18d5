// Raw mode, and the guardian that ends it.
//
// The guardian is forked before the terminal is changed. It waits for one byte on
// a pipe whose other end only this process holds: the byte means that all is well
// and the guardian just leaves, the end of the pipe that this process died and
// the terminal must be put back. It ignores the signals of the terminal and holds
// no other descriptor, so nothing else notices it.

#include "cli/terminal.hpp"

#include <fcntl.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <system_error>

namespace gondolin::cli {
namespace {

// The descriptor the guardian moves its pipe to; everything above is closed.
constexpr int kGuardianPipe = 3;

// Runs in the child of a process with threads: async-signal-safe calls only.
[[noreturn]] void guard(int pipe, const termios& saved) {
  for (int signal : {SIGINT, SIGQUIT, SIGTERM, SIGHUP, SIGTTOU, SIGTSTP}) {
    ::signal(signal, SIG_IGN);
  }
  if (pipe != kGuardianPipe) ::dup2(pipe, kGuardianPipe);
  ::close_range(kGuardianPipe + 1, ~0U, 0);
  char byte = 0;
  ssize_t count = 0;
  do {
    count = ::read(kGuardianPipe, &byte, 1);
  } while (count < 0 && errno == EINTR);
  if (count == 0) ::tcsetattr(STDIN_FILENO, TCSANOW, &saved);
  ::_exit(0);
}

}  // namespace

bool on_terminal() {
  return ::isatty(STDIN_FILENO) == 1 && ::isatty(STDOUT_FILENO) == 1;
}

TerminalSize terminal_size() {
  winsize size{};
  if (::ioctl(STDIN_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_row == 0 || size.ws_col == 0) {
    return {};
  }
  return {.rows = size.ws_row, .columns = size.ws_col};
}

RawTerminal::RawTerminal() {
  if (::tcgetattr(STDIN_FILENO, &saved_) != 0) {
    throw std::system_error(errno, std::generic_category(), "cannot read the terminal's settings");
  }
  start_guardian();
  termios raw = saved_;
  ::cfmakeraw(&raw);
  ::tcsetattr(STDIN_FILENO, TCSADRAIN, &raw);
}

RawTerminal::~RawTerminal() {
  ::tcsetattr(STDIN_FILENO, TCSADRAIN, &saved_);
  char well = 1;
  [[maybe_unused]] auto written = ::write(alive_fd_, &well, 1);
  ::close(alive_fd_);
  while (::waitpid(guardian_, nullptr, 0) < 0 && errno == EINTR) {
  }
}

void RawTerminal::start_guardian() {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) {
    throw std::system_error(errno, std::generic_category(), "cannot make a pipe");
  }
  guardian_ = ::fork();
  if (guardian_ == 0) {
    ::close(ends[1]);
    guard(ends[0], saved_);
  }
  ::close(ends[0]);
  alive_fd_ = ends[1];
  if (guardian_ < 0) {
    ::close(alive_fd_);
    throw std::system_error(errno, std::generic_category(), "cannot start a process");
  }
}

}  // namespace gondolin::cli
