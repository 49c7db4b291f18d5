#include "support/terminal_session.hpp"

#include <fcntl.h>
#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include <array>
#include <cerrno>

#include <gtest/gtest.h>

namespace gondolin::test {

TerminalSession::TerminalSession(const std::vector<std::string>& argv) {
  winsize size{.ws_row = 40, .ws_col = 120, .ws_xpixel = 0, .ws_ypixel = 0};
  if (::openpty(&screen_, &keyboard_, nullptr, nullptr, &size) != 0) {
    ADD_FAILURE() << "openpty: " << errno;
    return;
  }
  pid_ = ::fork();
  if (pid_ == 0) {
    ::setsid();
    ::ioctl(keyboard_, TIOCSCTTY, 0);
    for (int fd = 0; fd < 3; ++fd)
      ::dup2(keyboard_, fd);
    ::close_range(3, ~0U, 0);
    std::vector<char*> pointers;
    for (const std::string& argument : argv) {
      pointers.push_back(const_cast<char*>(argument.c_str()));
    }
    pointers.push_back(nullptr);
    ::execvp(pointers[0], pointers.data());
    ::_exit(127);
  }
}

TerminalSession::~TerminalSession() {
  if (pid_ > 0) {
    kill(SIGKILL);
    ::waitpid(pid_, nullptr, 0);
  }
  ::close(keyboard_);
  ::close(screen_);
}

void TerminalSession::type(const std::string& text) {
  ASSERT_EQ(::write(screen_, text.data(), text.size()), static_cast<ssize_t>(text.size()));
}

void TerminalSession::resize(unsigned short rows, unsigned short columns) {
  winsize size{.ws_row = rows, .ws_col = columns, .ws_xpixel = 0, .ws_ypixel = 0};
  ASSERT_EQ(::ioctl(screen_, TIOCSWINSZ, &size), 0);
}

std::string TerminalSession::expect(const std::string& text, std::chrono::seconds limit) {
  auto end = std::chrono::steady_clock::now() + limit;
  std::size_t found = 0;
  while ((found = shown_.find(text)) == std::string::npos) {
    auto left = std::chrono::duration_cast<std::chrono::milliseconds>(
        end - std::chrono::steady_clock::now());
    pollfd readable{screen_, POLLIN, 0};
    std::array<char, 4096> buffer;
    ssize_t count = -1;
    if (left.count() > 0 && ::poll(&readable, 1, static_cast<int>(left.count())) > 0) {
      count = ::read(screen_, buffer.data(), buffer.size());
    }
    if (count <= 0) {
      ADD_FAILURE() << "never saw '" << text << "' in: " << shown_;
      return {};
    }
    shown_.append(buffer.data(), static_cast<std::size_t>(count));
  }
  std::string seen = shown_.substr(0, found + text.size());
  shown_.erase(0, seen.size());
  return seen;
}

int TerminalSession::wait() {
  // What it shows is read on, so that its end is not held up by a full terminal.
  int status = 0;
  while (true) {
    int ended = ::waitpid(pid_, &status, WNOHANG);
    if (ended == pid_) break;
    pollfd readable{screen_, POLLIN, 0};
    std::array<char, 4096> buffer;
    if (::poll(&readable, 1, 20) > 0) {
      ssize_t count = ::read(screen_, buffer.data(), buffer.size());
      if (count > 0) shown_.append(buffer.data(), static_cast<std::size_t>(count));
    }
  }
  pid_ = -1;
  return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

void TerminalSession::kill(int signal) const {
  ::kill(pid_, signal);
}

bool TerminalSession::raw() const {
  termios settings{};
  ::tcgetattr(keyboard_, &settings);
  return (settings.c_lflag & ICANON) == 0;
}

}  // namespace gondolin::test
