// The child shares the daemon's memory until it has become the program (CLONE_VM and
// CLONE_VFORK, as posix_spawn does): no page tables are copied, and errors come back
// through a variable. So between clone and exec it only makes system calls on what
// was prepared before.
#include "guest/sandboxd/spawn.hpp"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <memory>
#include <vector>

#include "base/exec_array.hpp"
#include "guest/sandboxd/environment.hpp"
#include "guest/sandboxd/pipe.hpp"

namespace gondolin::guest {
namespace {

constexpr std::size_t kChildStack = 64 * 1024;

enum class Stage : std::uint8_t { kNone, kSession, kDescriptors, kDirectory, kExec };

// Everything the child needs, and where it leaves what went wrong.
struct Plan {
  std::array<int, 3> descriptors{-1, -1, -1};
  bool on_terminal = false;
  std::string directory;
  bool directory_may_lack = false;  // then the program starts in /
  std::vector<std::string> candidates;
  std::vector<char*> argv;
  std::vector<char*> shell_argv;  // "sh", a place for the script's path, arguments
  std::vector<char*> environment;
  const ChildDefaults* defaults = nullptr;
  Stage failed_stage = Stage::kNone;
  int os_error = 0;
};

// --- in the child ------------------------------------------------------------

void restore_defaults(const ChildDefaults& defaults) {
  for (int number = 1; number < NSIG; ++number) {
    struct sigaction action{};
    action.sa_handler = SIG_DFL;
    ::sigaction(number, &action, nullptr);
  }
  sigset_t none;
  ::sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  ::umask(022);
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) == 0) {
    limit.rlim_cur = defaults.file_limit;
    ::setrlimit(RLIMIT_NOFILE, &limit);
  }
  // The daemon comes before its programs.
  if (::getpriority(PRIO_PROCESS, 0) < 0) ::setpriority(PRIO_PROCESS, 0, 0);
  // The daemons have a score that keeps them from being chosen.
  int fd = ::open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
  if (fd >= 0) {
    ssize_t written = ::write(fd, "0", 1);
    static_cast<void>(written);  // without /proc the score simply stays as it is
    ::close(fd);
  }
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
}

bool enter_session(const Plan& plan) {
  if (::setsid() < 0) return false;
  return !plan.on_terminal || ::ioctl(plan.descriptors[0], TIOCSCTTY, 0) == 0;
}

bool place_descriptors(const Plan& plan) {
  for (int target = 0; target < 3; ++target) {
    if (::dup2(plan.descriptors[static_cast<unsigned>(target)], target) < 0) return false;
  }
  return true;
}

bool enter_directory(const Plan& plan) {
  if (::chdir(plan.directory.c_str()) == 0) return true;
  return plan.directory_may_lack && ::chdir("/") == 0;
}

// As execvp: the first candidate that can be run, by the shell when it is a script
// without an interpreter line. Returns the errno that says best why there is none.
int execute(Plan& plan) {
  int os_error = ENOENT;
  for (const auto& candidate : plan.candidates) {
    ::execve(candidate.c_str(), plan.argv.data(), plan.environment.data());
    if (errno == ENOEXEC) {
      plan.shell_argv[1] = const_cast<char*>(candidate.c_str());
      ::execve("/bin/sh", plan.shell_argv.data(), plan.environment.data());
    }
    switch (errno) {
      case EACCES:
        os_error = EACCES;
        break;
      case ENOENT:
      case ENOTDIR:
      case ESTALE:
      case ENODEV:
        break;
      default:
        return errno;
    }
  }
  return os_error;
}

int child_main(void* argument) {
  Plan& plan = *static_cast<Plan*>(argument);
  restore_defaults(*plan.defaults);
  if (!enter_session(plan)) {
    plan.failed_stage = Stage::kSession;
    plan.os_error = errno;
  } else if (!place_descriptors(plan)) {
    plan.failed_stage = Stage::kDescriptors;
    plan.os_error = errno;
  } else if (!enter_directory(plan)) {
    plan.failed_stage = Stage::kDirectory;
    plan.os_error = errno;
  } else {
    plan.os_error = execute(plan);
    plan.failed_stage = Stage::kExec;
  }
  ::_exit(127);
}

// --- in the daemon -----------------------------------------------------------

tl::unexpected<Error> cannot_start(std::string message, int os_error) {
  return tl::unexpected(Error{ErrorCode::kIo, std::move(message), os_error});
}

tl::unexpected<Error> describe_failure(const Plan& plan, const std::string& command) {
  std::string reason = std::generic_category().message(plan.os_error);
  switch (plan.failed_stage) {
    case Stage::kDirectory:
      return cannot_start("cwd " + plan.directory + ": " + reason, plan.os_error);
    case Stage::kExec:
      if (plan.os_error == ENOENT && command.find('/') == std::string::npos) {
        return cannot_start(command + ": command not found", ENOENT);
      }
      return cannot_start(command + ": " + reason, plan.os_error);
    default:
      return cannot_start("cannot set up the program: " + reason, plan.os_error);
  }
}

// The program's ends, kept open until it has them.
struct TheirEnds {
  UniqueFd input;
  UniqueFd output;
  UniqueFd error;
};

Result<TheirEnds> open_terminal(const wire::TerminalSize& size, ProgramEnds& ours) {
  UniqueFd master(::posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC));
  if (!master.valid()) return cannot_start("no terminal can be made", errno);
  int unlocked = 0;
  if (::ioctl(master.get(), TIOCSPTLCK, &unlocked) != 0) {
    return cannot_start("no terminal can be made", errno);
  }
  UniqueFd slave(::ioctl(master.get(), TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC));
  if (!slave.valid()) return cannot_start("no terminal can be made", errno);
  termios modes{};
  if (::tcgetattr(slave.get(), &modes) == 0) {
    modes.c_iflag |= IUTF8;
    ::tcsetattr(slave.get(), TCSANOW, &modes);
  }
  winsize window{.ws_row = size.rows, .ws_col = size.columns, .ws_xpixel = 0, .ws_ypixel = 0};
  ::ioctl(slave.get(), TIOCSWINSZ, &window);
  set_nonblocking(master);
  ours.terminal = std::move(master);
  TheirEnds theirs;
  theirs.input = std::move(slave);
  return theirs;
}

Result<TheirEnds> open_pipes(Attached attached, ProgramEnds& ours) {
  TheirEnds theirs;
  if (attached == Attached::kStdio || attached == Attached::kStdioAndStderr) {
    auto input = make_pipe();
    if (!input) return tl::unexpected(input.error());
    auto output = make_pipe();
    if (!output) return tl::unexpected(output.error());
    theirs.input = std::move(input->read_end);
    ours.input = std::move(input->write_end);
    theirs.output = std::move(output->write_end);
    ours.output = std::move(output->read_end);
    set_nonblocking(ours.input);
    set_nonblocking(ours.output);
  } else {
    theirs.input.reset(::open("/dev/null", O_RDWR | O_CLOEXEC));
    if (!theirs.input.valid()) return cannot_start("/dev/null cannot be opened", errno);
  }
  if (attached == Attached::kStdioAndStderr || attached == Attached::kStderr) {
    auto error = make_pipe();
    if (!error) return tl::unexpected(error.error());
    theirs.error = std::move(error->write_end);
    ours.error = std::move(error->read_end);
    set_nonblocking(ours.error);
  }
  return theirs;
}

// Runs the plan; the pid of the program, or how it failed.
Result<pid_t> run(Plan& plan, const std::string& command) {
  static_assert(kChildStack % 16 == 0);
  auto stack = std::make_unique_for_overwrite<std::byte[]>(kChildStack);
  pid_t pid =
      ::clone(child_main, stack.get() + kChildStack, CLONE_VM | CLONE_VFORK | SIGCHLD, &plan);
  if (pid < 0) return cannot_start("no process can be made", errno);
  if (plan.failed_stage == Stage::kNone) return pid;
  while (::waitpid(pid, nullptr, 0) < 0 && errno == EINTR) {
  }
  return describe_failure(plan, command);
}

}  // namespace

Result<Program> start_program(const wire::Spawn& spawn, Attached attached,
                              const ChildDefaults& defaults) {
  Program program;
  auto theirs = spawn.terminal ? open_terminal(*spawn.terminal, program.ends)
                               : open_pipes(attached, program.ends);
  if (!theirs) return tl::unexpected(theirs.error());
  auto environment = environment_for(spawn);
  std::string_view home = variable(environment, "HOME");

  Plan plan;
  int output = theirs->output.valid() ? theirs->output.get() : theirs->input.get();
  plan.descriptors = {theirs->input.get(), output,
                      theirs->error.valid() ? theirs->error.get() : output};
  plan.on_terminal = spawn.terminal.has_value();
  plan.directory = !spawn.cwd.empty() ? spawn.cwd : home.empty() ? "/" : home;
  plan.directory_may_lack = spawn.cwd.empty();
  plan.candidates = candidates_for(spawn.argv.front(), variable(environment, "PATH"));
  plan.argv = exec_array(spawn.argv);
  plan.shell_argv = plan.argv;
  plan.shell_argv.insert(plan.shell_argv.begin(), const_cast<char*>("sh"));
  plan.environment = exec_array(environment);
  plan.defaults = &defaults;

  auto pid = run(plan, spawn.argv.front());
  if (!pid) return tl::unexpected(pid.error());
  program.pid = *pid;
  program.pidfd.reset(static_cast<int>(::syscall(SYS_pidfd_open, *pid, 0)));
  if (!program.pidfd.valid()) {
    int os_error = errno;
    ::kill(*pid, SIGKILL);
    ::waitpid(*pid, nullptr, 0);
    return cannot_start("the program cannot be watched", os_error);
  }
  return program;
}

}  // namespace gondolin::guest
