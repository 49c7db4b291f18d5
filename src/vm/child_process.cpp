#include "vm/child_process.hpp"

#include <fcntl.h>
#include <linux/capability.h>
#include <linux/securebits.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <optional>
#include <utility>

#include <boost/asio/posix/stream_descriptor.hpp>

#include "base/check.hpp"
#include "base/exec_array.hpp"

namespace gondolin::vm {

namespace asio = boost::asio;

namespace {

constexpr std::size_t kMaxDescriptors = 16;
constexpr int kFirstDescriptor = 3;
constexpr rlim_t kMaxOpenFiles = 256;

// What the child needs between fork and exec, prepared before, because it may only
// make system calls there: other threads' locks are held for good in it.
struct Launch {
  const char* program;
  char* const* arguments;
  std::array<int, kMaxDescriptors> descriptors;
  int count;
  int null_device;
  int error_output;
  int report;  // gets the errno of what failed; closes when the program was executed
  pid_t parent;
  std::optional<ChildUser> user;
  int landlock;  // -1 for none
};

[[noreturn]] void give_up(int report) {
  int error = errno;
  // The parent cannot be told of a failure to tell it.
  [[maybe_unused]] ssize_t written = ::write(report, &error, sizeof error);
  ::_exit(127);
}

// Moves every descriptor out of the way first, so that no dup2 below overwrites one
// that is needed later. The copies vanish at exec.
int move_up(int fd) {
  return ::fcntl(fd, F_DUPFD_CLOEXEC, kFirstDescriptor + static_cast<int>(kMaxDescriptors));
}

// By the system calls themselves: libc's functions would tell the other threads, which a
// child has not, and wait for their locks.
bool become(const ChildUser& user) {
  const gid_t further = user.further_group.value_or(user.gid);
  return ::syscall(SYS_setgroups, 1, &further) == 0 &&
         ::syscall(SYS_setresgid, user.gid, user.gid, user.gid) == 0 &&
         ::syscall(SYS_setresuid, user.uid, user.uid, user.uid) == 0;
}

// Capabilities that root has and a child never needs, and with them the user. Without
// privileges there is nothing to give up.
bool give_up_privileges(const std::optional<ChildUser>& user) {
  __user_cap_header_struct header{.version = _LINUX_CAPABILITY_VERSION_3, .pid = 0};
  std::array<__user_cap_data_struct, _LINUX_CAPABILITY_U32S_3> data{};
  if (::syscall(SYS_capget, &header, data.data()) != 0) return false;
  if (data[0].permitted == 0 && data[1].permitted == 0) return !user;
  // A user id of 0 would give them all back at exec.
  constexpr unsigned long kRootIsNobody = SECBIT_NOROOT | SECBIT_NOROOT_LOCKED |
                                          SECBIT_NO_SETUID_FIXUP | SECBIT_NO_SETUID_FIXUP_LOCKED |
                                          SECBIT_NO_CAP_AMBIENT_RAISE |
                                          SECBIT_NO_CAP_AMBIENT_RAISE_LOCKED;
  // Needs one of them, which a container may have taken away: then exec alone decides.
  static_cast<void>(::prctl(PR_SET_SECUREBITS, kRootIsNobody, 0, 0, 0));
  for (unsigned long number = 0; ::prctl(PR_CAPBSET_READ, number, 0, 0, 0) >= 0; ++number)
    static_cast<void>(::prctl(PR_CAPBSET_DROP, number, 0, 0, 0));
  if (user && !become(*user)) return false;
  data = {};
  return ::syscall(SYS_capset, &header, data.data()) == 0;
}

// A child opens no more than a handful of files, and what is in its memory is not to
// be found on a disk.
bool limit_resources() {
  constexpr rlimit kNoCore{.rlim_cur = 0, .rlim_max = 0};
  rlimit files{};
  if (::getrlimit(RLIMIT_NOFILE, &files) != 0) return false;
  files.rlim_max = std::min<rlim_t>(files.rlim_max, kMaxOpenFiles);
  files.rlim_cur = files.rlim_max;
  return ::setrlimit(RLIMIT_CORE, &kNoCore) == 0 && ::setrlimit(RLIMIT_NOFILE, &files) == 0;
}

[[noreturn]] void run_child(Launch launch) {
  int report = move_up(launch.report);
  if (report < 0) give_up(launch.report);
  if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) give_up(report);
  if (::setsid() < 0) give_up(report);
  if (!give_up_privileges(launch.user) || !limit_resources()) give_up(report);
  // Only now: a change of the user undoes it. The parent may have died before.
  if (::prctl(PR_SET_PDEATHSIG, SIGKILL) != 0) give_up(report);
  if (::getppid() != launch.parent) ::_exit(127);

  int null_device = move_up(launch.null_device);
  int error_output = move_up(launch.error_output);
  int landlock = launch.landlock < 0 ? -1 : move_up(launch.landlock);
  if (null_device < 0 || error_output < 0 || (launch.landlock >= 0 && landlock < 0))
    give_up(report);
  for (int i = 0; i < launch.count; ++i) {
    int& fd = launch.descriptors[static_cast<std::size_t>(i)];
    fd = move_up(fd);
    if (fd < 0) give_up(report);
  }
  bool placed = ::dup2(null_device, STDIN_FILENO) >= 0 && ::dup2(null_device, STDOUT_FILENO) >= 0 &&
                ::dup2(error_output, STDERR_FILENO) >= 0;
  for (int i = 0; placed && i < launch.count; ++i) {
    placed = ::dup2(launch.descriptors[static_cast<std::size_t>(i)], kFirstDescriptor + i) >= 0;
  }
  if (!placed) give_up(report);
  if (landlock >= 0 && ::syscall(SYS_landlock_restrict_self, landlock, 0) != 0) give_up(report);
  auto first_unwanted = static_cast<unsigned>(kFirstDescriptor + launch.count);
  if (::syscall(SYS_close_range, first_unwanted, ~0U, CLOSE_RANGE_CLOEXEC) != 0) give_up(report);

  struct sigaction standard{};
  standard.sa_handler = SIG_DFL;
  for (int number = 1; number < NSIG; ++number)
    ::sigaction(number, &standard, nullptr);
  sigset_t none;
  ::sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  ::execv(launch.program, launch.arguments);
  give_up(report);
}

// Blocks all signals of this thread while in scope, so that no handler of ours runs
// in the child.
class SignalsBlocked {
 public:
  SignalsBlocked() {
    sigset_t all;
    ::sigfillset(&all);
    ::pthread_sigmask(SIG_SETMASK, &all, &saved_);
  }
  SignalsBlocked(const SignalsBlocked&) = delete;
  SignalsBlocked& operator=(const SignalsBlocked&) = delete;
  ~SignalsBlocked() { ::pthread_sigmask(SIG_SETMASK, &saved_, nullptr); }

 private:
  sigset_t saved_{};
};

// The exit status of the child, or nothing while it runs. One that somebody else
// reaped (a parent that ignores SIGCHLD) ended in a way we cannot know.
std::optional<ChildExit> reap(pid_t pid, int flags) {
  int status = 0;
  pid_t ended = 0;
  do {
    ended = ::waitpid(pid, &status, flags);
  } while (ended < 0 && errno == EINTR);
  if (ended == 0) return std::nullopt;
  if (ended < 0) return ChildExit{};
  if (WIFSIGNALED(status)) return ChildExit{.signal = WTERMSIG(status)};
  return ChildExit{.code = WEXITSTATUS(status)};
}

// What the child wrote into the report: 0 when it closed it by executing.
int read_report(int fd) {
  int error = 0;
  ssize_t count = 0;
  do {
    count = ::read(fd, &error, sizeof error);
  } while (count < 0 && errno == EINTR);
  return count == static_cast<ssize_t>(sizeof error) ? error : 0;
}

}  // namespace

std::string ChildExit::describe() const {
  if (signal == 0) return "exited with status " + std::to_string(code);
  return "was killed by signal " + std::to_string(signal) + " (" + ::strsignal(signal) + ")";
}

// The process and who waits for it; shared with the wait in progress.
class ChildProcess::Watch : public std::enable_shared_from_this<Watch> {
 public:
  Watch(const asio::any_io_executor& executor, pid_t pid, UniqueFd pidfd,
        std::function<void(ChildExit)> on_exit)
      : pidfd_(executor, pidfd.release()), pid_(pid), on_exit_(std::move(on_exit)) {}

  [[nodiscard]] pid_t pid() const { return pid_; }

  void wait() {
    pidfd_.async_wait(asio::posix::stream_descriptor::wait_read,
                      [self = shared_from_this()](boost::system::error_code error) {
                        if (!error) self->collect();
                      });
  }

  void kill() {
    // Nobody else reaps it, so the number is still its own.
    if (pid_ != 0) ::kill(pid_, SIGKILL);
  }

  void end() {
    on_exit_ = nullptr;
    if (pid_ == 0) return;
    kill();
    static_cast<void>(reap(std::exchange(pid_, 0), 0));
    pidfd_.close();
  }

 private:
  void collect() {
    if (pid_ == 0) return;
    auto status = reap(pid_, WNOHANG);
    if (!status) return wait();
    pid_ = 0;
    pidfd_.close();
    auto on_exit = std::exchange(on_exit_, nullptr);
    if (on_exit) on_exit(*status);
  }

  asio::posix::stream_descriptor pidfd_;
  pid_t pid_;
  std::function<void(ChildExit)> on_exit_;
};

Result<std::unique_ptr<ChildProcess>> ChildProcess::start(
    const boost::asio::any_io_executor& executor, ChildOptions options,
    std::function<void(ChildExit)> on_exit) {
  GONDOLIN_CHECK(options.descriptors.size() <= kMaxDescriptors);
  std::array<int, 2> report{};
  if (::pipe2(report.data(), O_CLOEXEC) != 0) return fail_errno("pipe2", errno);
  UniqueFd report_in(report[0]);
  UniqueFd report_out(report[1]);
  UniqueFd null_device(::open("/dev/null", O_RDWR | O_CLOEXEC));
  if (!null_device.valid()) return fail_errno("open /dev/null", errno);

  const auto arguments = exec_array(options.arguments);
  Launch launch{
      .program = options.program.c_str(),
      .arguments = arguments.data(),
      .descriptors = {},
      .count = static_cast<int>(options.descriptors.size()),
      .null_device = null_device.get(),
      .error_output = options.error_output.valid() ? options.error_output.get() : null_device.get(),
      .report = report_out.get(),
      .parent = ::getpid(),
      .user = options.user,
      .landlock = options.landlock.get()};
  for (std::size_t i = 0; i < options.descriptors.size(); ++i) {
    launch.descriptors[i] = options.descriptors[i].get();
  }

  pid_t pid = -1;
  int fork_error = 0;
  {
    SignalsBlocked blocked;
    pid = ::fork();
    fork_error = errno;
    if (pid == 0) run_child(launch);
  }
  if (pid < 0) return fail_errno("fork", fork_error);
  report_out.reset();
  if (int error = read_report(report_in.get()); error != 0) {
    static_cast<void>(reap(pid, 0));
    return fail_errno("start " + options.program, error);
  }
  UniqueFd pidfd(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
  if (!pidfd.valid()) {
    int error = errno;
    ::kill(pid, SIGKILL);
    static_cast<void>(reap(pid, 0));
    return fail_errno("pidfd_open", error);
  }
  auto watch = std::make_shared<Watch>(executor, pid, std::move(pidfd), std::move(on_exit));
  watch->wait();
  return std::unique_ptr<ChildProcess>(new ChildProcess(std::move(watch)));
}

ChildProcess::ChildProcess(std::shared_ptr<Watch> watch) : watch_(std::move(watch)) {}

ChildProcess::~ChildProcess() {
  watch_->end();
}

pid_t ChildProcess::pid() const {
  return watch_->pid();
}

void ChildProcess::kill() {
  watch_->kill();
}

}  // namespace gondolin::vm
