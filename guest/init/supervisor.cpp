#include "guest/init/supervisor.hpp"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/reboot.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "guest/common/power_off.hpp"

namespace gondolin::init {
namespace {

constexpr std::chrono::milliseconds kFirstPause{50};
constexpr std::chrono::milliseconds kLongestPause{1000};
// A daemon that ran this long is not in a crash loop.
constexpr std::chrono::seconds kHealthyRun{2};
constexpr std::chrono::seconds kPoliteShutdown{1};

sigset_t watched_signals() {
  sigset_t set;
  sigemptyset(&set);
  for (const int signal : {SIGCHLD, SIGTERM, SIGINT, SIGPWR, guest::kPowerOffSignal})
    sigaddset(&set, signal);
  return set;
}

// In the child: nothing here may allocate or return.
[[noreturn]] void become_daemon(int initramfs, const char* path, const char* name, int nice,
                                int null, int console) {
  sigset_t none;
  sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  ::setsid();
  ::setpriority(PRIO_PROCESS, 0, nice);
  ::dup2(null, STDIN_FILENO);
  ::dup2(console >= 0 ? console : null, STDOUT_FILENO);
  ::dup2(console >= 0 ? console : null, STDERR_FILENO);
  ::syscall(SYS_close_range, STDERR_FILENO + 1, ~0U, CLOSE_RANGE_CLOEXEC);
  const char* const arguments[] = {name, nullptr};
  const char* const environment[] = {
      "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/root",
      "LANG=C.UTF-8", nullptr};
  ::syscall(SYS_execveat, initramfs, path, arguments, environment, 0);
  ::_exit(127);
}

std::string describe(int status) {
  if (WIFSIGNALED(status)) {
    const int signal = WTERMSIG(status);
    return "was killed by signal " + std::to_string(signal) + " (" + ::strsignal(signal) + ")";
  }
  return "exited with status " + std::to_string(WEXITSTATUS(status));
}

}  // namespace

Supervisor::Supervisor(UniqueFd initramfs, const Console& console)
    : initramfs_(std::move(initramfs)),
      console_(console),
      null_(::open("/dev/null", O_RDWR | O_CLOEXEC)) {
  const sigset_t set = watched_signals();
  ::sigprocmask(SIG_BLOCK, &set, nullptr);
  signals_.reset(::signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK));
}

void Supervisor::add(const char* name, int nice) {
  struct stat information{};
  if (::fstatat(initramfs_.get(), (std::string("gondolin/") + name).c_str(), &information, 0) !=
      0) {
    console_.error(std::string(name) + " is not in the initramfs");
    return;
  }
  daemons_.push_back(Daemon{.name = name, .nice = nice, .started = {}, .next_start = Clock::now()});
}

void Supervisor::run() {
  for (;;) {
    start_due();
    pollfd event{.fd = signals_.get(), .events = POLLIN, .revents = 0};
    ::poll(&event, 1, milliseconds_to_next_start());
    if (take_signals()) return;
    reap();
  }
}

void Supervisor::start_due() {
  const auto now = Clock::now();
  for (Daemon& daemon : daemons_)
    if (daemon.pid < 0 && daemon.next_start <= now) start(daemon);
}

void Supervisor::start(Daemon& daemon) {
  const std::string path = "gondolin/" + daemon.name;
  daemon.started = Clock::now();
  daemon.pid = ::fork();
  if (daemon.pid == 0)
    become_daemon(initramfs_.get(), path.c_str(), daemon.name.c_str(), daemon.nice, null_.get(),
                  console_.fd());
  if (daemon.pid > 0) return;
  console_.error("starting " + daemon.name + " failed: " + std::strerror(errno));
  daemon.next_start = daemon.started + kLongestPause;
}

int Supervisor::milliseconds_to_next_start() const {
  const auto now = Clock::now();
  int timeout = -1;
  for (const Daemon& daemon : daemons_) {
    if (daemon.pid >= 0) continue;
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(
        std::max(daemon.next_start - now, Clock::duration::zero()));
    const int milliseconds = static_cast<int>(left.count());
    timeout = timeout < 0 ? milliseconds : std::min(timeout, milliseconds);
  }
  return timeout;
}

bool Supervisor::take_signals() {
  signalfd_siginfo signal;
  bool power_off = false;
  while (::read(signals_.get(), &signal, sizeof signal) == sizeof signal)
    power_off = power_off || signal.ssi_signo != SIGCHLD;
  return power_off;
}

void Supervisor::reap() {
  int status = 0;
  for (pid_t pid = 0; (pid = ::waitpid(-1, &status, WNOHANG)) > 0;) {
    auto daemon = std::ranges::find(daemons_, pid, &Daemon::pid);
    if (daemon != daemons_.end()) daemon_ended(*daemon, status);
  }
}

void Supervisor::daemon_ended(Daemon& daemon, int status) {
  const auto now = Clock::now();
  if (now - daemon.started >= kHealthyRun) daemon.pause = {};
  daemon.pid = -1;
  daemon.next_start = now + daemon.pause;
  daemon.pause = std::clamp<Clock::duration>(daemon.pause * 2, kFirstPause, kLongestPause);
  console_.error(daemon.name + " " + describe(status) + "; starting it again");
}

void power_off(const Console& console) {
  console.debug("turning off");
  sigset_t child;
  sigemptyset(&child);
  sigaddset(&child, SIGCHLD);
  ::sigprocmask(SIG_BLOCK, &child, nullptr);

  ::kill(-1, SIGTERM);
  const auto deadline = std::chrono::steady_clock::now() + kPoliteShutdown;
  for (;;) {
    pid_t reaped = 0;
    while ((reaped = ::waitpid(-1, nullptr, WNOHANG)) > 0) {
    }
    const auto left = deadline - std::chrono::steady_clock::now();
    if (reaped < 0 || left.count() <= 0) break;
    const auto nanoseconds = std::chrono::duration_cast<std::chrono::nanoseconds>(left).count();
    const timespec timeout{.tv_sec = nanoseconds / 1'000'000'000,
                           .tv_nsec = nanoseconds % 1'000'000'000};
    ::sigtimedwait(&child, nullptr, &timeout);
  }
  ::kill(-1, SIGKILL);
  ::sync();
  // The host runs QEMU with -no-reboot, so that this ends it on every machine type;
  // a power-off would hang where there is no ACPI to carry it out.
  ::reboot(RB_AUTOBOOT);
  for (;;)
    ::pause();
}

}  // namespace gondolin::init
