#include "guest/sandboxmounts/mounter.hpp"

#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

namespace gondolin::guest {
namespace {

// All but the first three and `kept`.
void close_descriptors(int kept) {
  constexpr unsigned kFirst = STDERR_FILENO + 1;
  const auto keep = static_cast<unsigned>(kept);
  if (keep > kFirst) ::close_range(kFirst, keep - 1, 0);
  ::close_range(keep + 1, ~0U, 0);
}

}  // namespace

Result<Mounter::Process> Mounter::start(const wire::MountTarget& target) {
  reap();
  auto device = mounting_.open_device();
  if (!device) return tl::unexpected(device.error());
  Process process{.pid = -1, .pidfd = {}, .device = std::move(*device)};
  const pid_t parent = ::getpid();
  process.pid = ::fork();
  if (process.pid < 0) return fail_errno("fork", errno);
  if (process.pid == 0) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (::getppid() != parent) ::_exit(EOWNERDEAD);  // it had died already
    close_descriptors(process.device.get());
    ::_exit(mounting_.mount(target, process.device.get()));
  }
  process.pidfd.reset(static_cast<int>(::syscall(SYS_pidfd_open, process.pid, 0)));
  if (process.pidfd.valid()) return process;
  const int os_error = errno;
  abandon(process.pid);
  return fail_errno("pidfd_open", os_error);
}

void Mounter::abandon(pid_t pid) {
  ::kill(pid, SIGKILL);
  abandoned_.push_back(pid);
  reap();
}

void Mounter::reap() {
  std::erase_if(abandoned_, [](pid_t pid) { return ::waitpid(pid, nullptr, WNOHANG) != 0; });
}

}  // namespace gondolin::guest
