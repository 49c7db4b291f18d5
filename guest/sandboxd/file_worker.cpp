#include "guest/sandboxd/file_worker.hpp"

#include <signal.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include "guest/sandboxd/file_service.hpp"
#include "guest/sandboxd/pipe.hpp"

namespace gondolin::guest {
namespace {

// How long a process may take to notice that nobody wants it any more.
constexpr std::chrono::seconds kGrace{2};

// The daemon has died, and its ends of the pipes with it: there is as long to undo what is half
// done as the daemon would have given.
void on_orphaned(int) {
  ::alarm(static_cast<unsigned>(kGrace.count()));
}

[[noreturn]] void child_main(const Pipe& request, const Pipe& answer) {
  struct sigaction orphaned{};
  orphaned.sa_handler = on_orphaned;
  orphaned.sa_flags = SA_RESTART;
  ::sigaction(SIGUSR1, &orphaned, nullptr);
  ::prctl(PR_SET_PDEATHSIG, SIGUSR1);
  // Whatever else the daemon has open would stay so through us: the ends of programs'
  // pipes among it.
  ::dup2(request.read_end.get(), STDIN_FILENO);
  ::dup2(answer.write_end.get(), STDOUT_FILENO);
  ::close_range(STDERR_FILENO + 1, ~0U, 0);
  ::umask(0);
  serve_file_request(STDIN_FILENO, STDOUT_FILENO);
  ::_exit(0);
}

}  // namespace

Result<FileWorker::Child> FileWorker::start() {
  auto request = make_pipe();
  if (!request) return tl::unexpected(request.error());
  auto answer = make_pipe();
  if (!answer) return tl::unexpected(answer.error());
  Child child;
  child.pid = ::fork();
  if (child.pid < 0) return fail_errno("fork", errno);
  if (child.pid == 0) child_main(*request, *answer);
  child.pidfd.reset(static_cast<int>(::syscall(SYS_pidfd_open, child.pid, 0)));
  if (!child.pidfd.valid()) {
    const int os_error = errno;
    ::kill(child.pid, SIGKILL);
    ::waitpid(child.pid, nullptr, 0);
    return fail_errno("pidfd_open", os_error);
  }
  child.input = std::move(request->write_end);
  child.output = std::move(answer->read_end);
  set_nonblocking(child.input);
  set_nonblocking(child.output);
  return child;
}

FileWorker::FileWorker(wire::Mux& mux, wire::StreamId stream, Child child)
    : mux_(mux), stream_(stream), child_(std::move(child)) {
  input_.emplace(mux_, child_.input.get(), stream, InputPump::Goal::kPipe);
  output_.emplace(mux_, child_.output.get(), stream);
}

int FileWorker::fd(Descriptor descriptor) const {
  switch (descriptor) {
    case Descriptor::kInput:
      return child_.input.get();
    case Descriptor::kOutput:
      return child_.output.get();
    case Descriptor::kPidfd:
      break;
  }
  return child_.pidfd.get();
}

void FileWorker::on_stream_event(const wire::MuxEvent& event) {
  if (event.kind == wire::MuxEvent::Kind::kReset) {
    mux_.close(*stream_);
    return give_up();
  }
  pump();
}

void FileWorker::on_descriptor_event(Descriptor descriptor) {
  if (descriptor == Descriptor::kPidfd) return reap();
  if (input_ && descriptor == Descriptor::kInput) input_->on_event();
  if (output_ && descriptor == Descriptor::kOutput) output_->on_event();
  pump();
}

// The stream ends when the process has closed its pipe and the host its direction.
void FileWorker::pump() {
  if (!stream_) return;
  input_->pump();
  if (input_->ended()) child_.input.reset();
  static_cast<void>(output_->pump());
  if (!output_->ended() || !mux_.at_end(*stream_)) return;
  mux_.close(*stream_);
  give_up();
}

void FileWorker::abandon() {
  if (stream_) give_up();
}

void FileWorker::give_up() {
  stream_.reset();
  input_.reset();
  output_.reset();
  child_.input.reset();
  child_.output.reset();
  if (child_.pid > 0) kill_at_ = Clock::now() + kGrace;
}

void FileWorker::on_deadline() {
  kill_at_.reset();
  ::kill(child_.pid, SIGKILL);
}

void FileWorker::reap() {
  if (child_.pid < 0 || ::waitpid(child_.pid, nullptr, WNOHANG) != child_.pid) return;
  child_.pid = -1;
  child_.pidfd.reset();
  kill_at_.reset();
}

}  // namespace gondolin::guest
