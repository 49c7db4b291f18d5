#include "image/program.hpp"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdlib>

#include "base/exec_array.hpp"
#include "base/unique_fd.hpp"

namespace gondolin::image {
namespace {

constexpr int kStageFd = 3;
constexpr int kCancelPollMilliseconds = 200;

struct Pipe {
  UniqueFd read;
  UniqueFd write;
};

// Both ends lie above the numbers that the child's own descriptors get.
Result<Pipe> make_pipe() {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) return fail_errno("making a pipe", errno);
  const UniqueFd low_read(ends[0]);
  const UniqueFd low_write(ends[1]);
  Pipe pipe{UniqueFd(::fcntl(low_read.get(), F_DUPFD_CLOEXEC, kStageFd + 1)),
            UniqueFd(::fcntl(low_write.get(), F_DUPFD_CLOEXEC, kStageFd + 1))};
  if (!pipe.read.valid() || !pipe.write.valid()) return fail_errno("making a pipe", errno);
  return pipe;
}

// Cuts what arrives into lines; a carriage return ends one as well.
class LineReader {
 public:
  LineReader(UniqueFd pipe, const std::function<void(std::string_view)>& sink)
      : pipe_(std::move(pipe)), sink_(sink) {}

  [[nodiscard]] int fd() const { return pipe_.get(); }  // -1 after the end

  void read() {
    char buffer[4096];
    const ssize_t count = ::read(pipe_.get(), buffer, sizeof buffer);
    if (count < 0 && (errno == EINTR || errno == EAGAIN)) return;
    if (count <= 0) {
      end_line();
      pipe_.reset();
      return;
    }
    for (const char c : std::string_view(buffer, static_cast<std::size_t>(count))) {
      if (c == '\n' || c == '\r') {
        end_line();
      } else if (line_.size() < kLongestLine) {
        line_ += c;
      }
    }
  }

 private:
  static constexpr std::size_t kLongestLine = 4096;

  void end_line() {
    if (!line_.empty() && sink_) sink_(line_);
    line_.clear();
  }

  UniqueFd pipe_;
  const std::function<void(std::string_view)>& sink_;
  std::string line_;
};

struct ChildStart {
  const char* path;
  char* const* arguments;
  char* const* environment;
  int log;
  int stage;
  pid_t parent;
};

// Between fork and exec: nothing here may allocate or lock.
[[noreturn]] void become(const ChildStart& start) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() != start.parent) ::_exit(127);
  ::setpgid(0, 0);
  ::umask(022);
  sigset_t none;
  sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  const int null = ::open("/dev/null", O_RDONLY);
  ::dup2(null, STDIN_FILENO);
  ::dup2(start.log, STDOUT_FILENO);
  ::dup2(start.log, STDERR_FILENO);
  ::dup2(start.stage, kStageFd);
  ::syscall(SYS_close_range, kStageFd + 1, ~0U, 0);
  ::execve(start.path, start.arguments, start.environment);
  ::_exit(127);
}

Result<int> wait_for(pid_t pid) {
  int status = 0;
  while (::waitpid(pid, &status, 0) < 0)
    if (errno != EINTR) return fail_errno("waiting for a program", errno);
  return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

}  // namespace

Result<int> run_program(const Program& program, const ProgramOutput& output,
                        const Cancelled& cancelled) {
  auto path = find_program(program.arguments.front());
  if (!path) return tl::unexpected(path.error());
  auto log = make_pipe();
  if (!log) return tl::unexpected(log.error());
  auto stage = make_pipe();
  if (!stage) return tl::unexpected(stage.error());

  const auto arguments = exec_array(program.arguments);
  const auto environment = exec_array(program.environment);
  const ChildStart start{.path = path->c_str(),
                         .arguments = arguments.data(),
                         .environment = environment.data(),
                         .log = log->write.get(),
                         .stage = stage->write.get(),
                         .parent = ::getpid()};
  const pid_t pid = ::fork();
  if (pid < 0) return fail_errno("starting " + program.arguments.front(), errno);
  if (pid == 0) become(start);
  log->write.reset();
  stage->write.reset();

  std::array readers{LineReader(std::move(stage->read), output.stage),
                     LineReader(std::move(log->read), output.log)};
  bool killed = false;
  // The pipes end when the last process that has them is gone.
  while (readers[0].fd() >= 0 || readers[1].fd() >= 0) {
    if (!killed && cancelled && cancelled()) {
      ::kill(pid, SIGKILL);
      ::kill(-pid, SIGKILL);
      killed = true;
    }
    pollfd events[2] = {{.fd = readers[0].fd(), .events = POLLIN, .revents = 0},
                        {.fd = readers[1].fd(), .events = POLLIN, .revents = 0}};
    if (::poll(events, 2, kCancelPollMilliseconds) <= 0) continue;
    for (std::size_t i = 0; i < readers.size(); ++i)
      if (events[i].revents != 0) readers[i].read();
  }
  auto status = wait_for(pid);
  if (killed) return fail(ErrorCode::kCancelled, "interrupted");
  return status;
}

std::vector<std::string> inherited_environment(std::initializer_list<const char*> names) {
  std::vector<std::string> environment;
  for (const char* name : names)
    if (const char* value = std::getenv(name))
      environment.push_back(std::string(name) + "=" + value);
  return environment;
}

Result<std::string> find_program(std::string_view name) {
  if (name.find('/') != std::string_view::npos && ::access(std::string(name).c_str(), X_OK) == 0)
    return std::string(name);
  const char* path = std::getenv("PATH");
  std::string directories =
      std::string(path == nullptr ? "" : path) + ":/usr/sbin:/usr/bin:/sbin:/bin:";
  for (std::size_t begin = 0, end = 0; (end = directories.find(':', begin)) != std::string::npos;
       begin = end + 1) {
    if (end == begin) continue;
    std::string candidate = directories.substr(begin, end - begin) + "/" + std::string(name);
    if (::access(candidate.c_str(), X_OK) == 0) return candidate;
  }
  return fail(ErrorCode::kUnavailable, "the program " + std::string(name) + " is missing");
}

}  // namespace gondolin::image
