#include "support/command.hpp"

#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string_view>

#include <gtest/gtest.h>

namespace gondolin::test {
namespace {

using Clock = std::chrono::steady_clock;

std::vector<char*> as_argv(const std::vector<std::string>& argv) {
  std::vector<char*> pointers;
  for (const std::string& argument : argv)
    pointers.push_back(const_cast<char*>(argument.c_str()));
  pointers.push_back(nullptr);
  return pointers;
}

int remaining_ms(Clock::time_point end) {
  auto left = std::chrono::duration_cast<std::chrono::milliseconds>(end - Clock::now()).count();
  return left > 0 ? static_cast<int>(left) : 0;
}

int wait_status(int pid) {
  int status = 0;
  while (::waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
  return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

// Forks with these descriptors as 0, 1 and 2.
int spawn(const std::vector<std::string>& argv, std::array<int, 3> streams) {
  int pid = ::fork();
  if (pid != 0) return pid;
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  for (int i = 0; i < 3; ++i)
    ::dup2(streams[static_cast<std::size_t>(i)], i);
  ::close_range(3, ~0U, 0);
  auto pointers = as_argv(argv);
  ::execvp(pointers[0], pointers.data());
  ::_exit(127);
}

// Appends what can be read; false at the end of the stream.
bool append_available(int fd, std::string& text) {
  std::array<char, 64 * 1024> buffer;
  ssize_t count = ::read(fd, buffer.data(), buffer.size());
  if (count > 0) text.append(buffer.data(), static_cast<std::size_t>(count));
  return count > 0 || (count < 0 && (errno == EINTR || errno == EAGAIN));
}

std::array<int, 2> make_pipe() {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) ADD_FAILURE() << "pipe2: " << errno;
  return ends;
}

// Writes `input` and reads both outputs until they end; false when time is up.
bool exchange(int in, int out, int err, std::string_view input, CommandResult& result,
              Clock::time_point end) {
  ::fcntl(in, F_SETFL, O_NONBLOCK);
  std::array<pollfd, 3> fds{pollfd{in, POLLOUT, 0}, pollfd{out, POLLIN, 0}, pollfd{err, POLLIN, 0}};
  while (fds[1].fd >= 0 || fds[2].fd >= 0) {
    if (fds[0].fd >= 0 && input.empty()) {
      ::close(in);
      fds[0].fd = -1;
    }
    if (::poll(fds.data(), fds.size(), remaining_ms(end)) == 0) break;
    if (fds[0].revents != 0) {
      ssize_t count = ::write(in, input.data(), input.size());
      if (count > 0) input.remove_prefix(static_cast<std::size_t>(count));
      if (count < 0 && errno != EAGAIN) input = {};
    }
    if (fds[1].revents != 0 && !append_available(out, result.output)) fds[1].fd = -1;
    if (fds[2].revents != 0 && !append_available(err, result.errors)) fds[2].fd = -1;
  }
  if (fds[0].fd >= 0) ::close(in);
  return fds[1].fd < 0 && fds[2].fd < 0;
}

}  // namespace

CommandResult run(const std::vector<std::string>& argv, const std::string& input,
                  std::chrono::seconds limit) {
  ::signal(SIGPIPE, SIG_IGN);
  auto in = make_pipe();
  auto out = make_pipe();
  auto err = make_pipe();
  int pid = spawn(argv, {in[0], out[1], err[1]});
  ::close(in[0]);
  ::close(out[1]);
  ::close(err[1]);
  CommandResult result;
  bool ended = exchange(in[1], out[0], err[0], input, result, Clock::now() + limit);
  if (!ended) ::kill(pid, SIGKILL);
  ::close(out[0]);
  ::close(err[0]);
  result.status = wait_status(pid);
  return result;
}

BackgroundCommand::BackgroundCommand(const std::vector<std::string>& argv) {
  auto err = make_pipe();
  int null = ::open("/dev/null", O_RDWR | O_CLOEXEC);
  pid_ = spawn(argv, {null, null, err[1]});
  ::close(null);
  ::close(err[1]);
  errors_fd_ = err[0];
}

BackgroundCommand::~BackgroundCommand() {
  if (pid_ > 0) {
    kill(SIGKILL);
    wait();
  }
  ::close(errors_fd_);
}

void BackgroundCommand::kill(int signal) const {
  ::kill(pid_, signal);
}

int BackgroundCommand::wait() {
  int status = wait_status(pid_);
  pid_ = -1;
  return status;
}

std::string BackgroundCommand::errors() {
  while (append_available(errors_fd_, errors_)) {
  }
  return errors_;
}

std::string BackgroundCommand::wait_for_errors(const std::string& text,
                                               std::chrono::seconds limit) {
  auto end = Clock::now() + limit;
  while (errors_.find(text) == std::string::npos) {
    pollfd readable{errors_fd_, POLLIN, 0};
    if (::poll(&readable, 1, remaining_ms(end)) <= 0 || !append_available(errors_fd_, errors_)) {
      ADD_FAILURE() << "never saw '" << text << "' in: " << errors_;
      break;
    }
  }
  return errors_;
}

std::vector<int> children_of(int pid) {
  std::vector<int> children;
  for (const auto& entry : std::filesystem::directory_iterator("/proc")) {
    int child = std::atoi(entry.path().filename().c_str());
    if (child <= 0) continue;
    std::ifstream file(entry.path() / "stat");
    std::string stat((std::istreambuf_iterator<char>(file)), {});
    // "pid (comm) state ppid ..."; comm may hold anything.
    auto close = stat.rfind(')');
    if (close == std::string::npos) continue;
    std::istringstream rest(stat.substr(close + 1));
    char state = 0;
    int parent = 0;
    rest >> state >> parent;
    if (parent == pid && state != 'Z') children.push_back(child);
  }
  return children;
}

bool process_exists(int pid) {
  std::ifstream file("/proc/" + std::to_string(pid) + "/stat");
  std::string stat((std::istreambuf_iterator<char>(file)), {});
  auto close = stat.rfind(')');
  return close != std::string::npos && stat.size() > close + 2 && stat[close + 2] != 'Z';
}

}  // namespace gondolin::test
