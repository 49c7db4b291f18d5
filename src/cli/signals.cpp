#include "cli/signals.hpp"

#include <poll.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdint>
#include <system_error>
#include <utility>

namespace gondolin::cli {

SignalThread::SignalThread(Handler handler) : handler_(std::move(handler)) {
  ::signal(SIGPIPE, SIG_IGN);
  sigset_t taken;
  sigemptyset(&taken);
  for (int signal : {SIGINT, SIGTERM, SIGHUP, SIGWINCH})
    sigaddset(&taken, signal);
  ::pthread_sigmask(SIG_BLOCK, &taken, nullptr);

  stop_fd_ = ::eventfd(0, EFD_CLOEXEC);
  int signal_fd = ::signalfd(-1, &taken, SFD_CLOEXEC);
  if (stop_fd_ < 0 || signal_fd < 0) {
    throw std::system_error(errno, std::generic_category(), "cannot watch signals");
  }
  thread_ = std::thread([this, signal_fd] { run(signal_fd); });
}

SignalThread::~SignalThread() {
  std::uint64_t one = 1;
  [[maybe_unused]] auto written = ::write(stop_fd_, &one, sizeof one);
  thread_.join();
  ::close(stop_fd_);
}

void SignalThread::run(int signal_fd) {
  std::array<pollfd, 2> fds{pollfd{signal_fd, POLLIN, 0}, pollfd{stop_fd_, POLLIN, 0}};
  while (true) {
    if (::poll(fds.data(), fds.size(), -1) < 0) continue;
    if (fds[1].revents != 0) break;
    signalfd_siginfo info{};
    if (::read(signal_fd, &info, sizeof info) == sizeof info) {
      handler_(static_cast<int>(info.ssi_signo));
    }
  }
  ::close(signal_fd);
}

}  // namespace gondolin::cli
