#include "guest/sandboxd/process.hpp"

#include <signal.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "base/check.hpp"
#include "guest/sandboxd/session.hpp"

namespace gondolin::guest {
namespace {

using wire::MuxEvent;

// How long a session may take to end by itself after SIGHUP.
constexpr std::chrono::seconds kGrace{2};

template <typename... Handlers>
struct Overloaded : Handlers... {
  using Handlers::operator()...;
};

}  // namespace

Process::Process(const Shared& shared, std::uint32_t handle, wire::StreamId exec)
    : shared_(shared), handle_(handle), exec_(exec), outbox_(std::in_place, shared.mux, exec) {
  shared_.mux.accept(exec);
}

std::optional<wire::StreamId>& Process::slot(Role role) {
  switch (role) {
    case Role::kStdio:
      return stdio_;
    case Role::kStderr:
      return stderr_;
    case Role::kExec:
      break;
  }
  return exec_;
}

std::optional<wire::StreamId> Process::stream(Role role) const {
  return const_cast<Process*>(this)->slot(role);
}

void Process::attach(Role role, wire::StreamId stream) {
  auto& place = slot(role);
  if (phase_ != Phase::kWaiting || place) return shared_.mux.refuse(stream, EBUSY);
  place = stream;
  shared_.mux.accept(stream);
}

// --- streams -----------------------------------------------------------------

void Process::on_stream_event(Role role, const MuxEvent& event) {
  react(role, event);
  settle_streams();
}

void Process::react(Role role, const MuxEvent& event) {
  switch (event.kind) {
    case MuxEvent::Kind::kReadable:
      if (role == Role::kExec) return on_exec_input();
      if (role == Role::kStdio) return pump_input();
      return discard(event.stream);
    case MuxEvent::Kind::kEnd:
      if (role == Role::kStdio) return pump_input();
      if (role == Role::kExec) {
        on_exec_input();
        if (exec_ && phase_ != Phase::kEnded) hang_up();
      }
      return;
    case MuxEvent::Kind::kWritable:
      if (role == Role::kExec) return outbox_->flush();
      if (role == Role::kStdio) return pump_output(output_, Descriptor::kOutput);
      return pump_output(error_, Descriptor::kError);
    case MuxEvent::Kind::kReset:
      close_stream(role);
      if (role == Role::kExec && phase_ != Phase::kEnded) hang_up();
      return;
    default:
      return;
  }
}

void Process::on_exec_input() {
  while (exec_) {
    Bytes bytes = shared_.mux.read(*exec_);
    if (bytes.empty()) return;
    auto taken = messages_.feed(bytes);
    auto message = taken ? messages_.next() : tl::unexpected(taken.error());
    if (!message) {
      // What the host says makes no sense; it gets no more of this program.
      close_stream(Role::kExec);
      return hang_up();
    }
    shared_.mux.consume(*exec_, *taken);
    if (*message) handle(**message);
  }
}

void Process::handle(const wire::ControlMessage& message) {
  std::visit(Overloaded{
                 [&](const wire::Spawn& order) { spawn(order); },
                 [&](const wire::Resize& resize) {
                   if (!program_.ends.terminal.valid()) return;
                   winsize size{.ws_row = resize.size.rows,
                                .ws_col = resize.size.columns,
                                .ws_xpixel = 0,
                                .ws_ypixel = 0};
                   ::ioctl(program_.ends.terminal.get(), TIOCSWINSZ, &size);
                 },
                 [&](const wire::Signal& order) { signal(order.number); },
                 [](const auto&) {},  // the rest only goes the other way
             },
             message);
}

void Process::discard(wire::StreamId stream) {
  for (Bytes bytes; !(bytes = shared_.mux.read(stream)).empty();) {
    shared_.mux.consume(stream, bytes.size());
  }
}

// Ends a stream whose descriptors are of no use to the host any more.
void Process::close_stream(Role role) {
  auto& place = slot(role);
  if (!place) return;
  shared_.mux.close(*place);
  place.reset();
  if (role == Role::kExec) outbox_.reset();
  if (role == Role::kStdio) {
    input_.reset();
    program_.ends.input.reset();
  }
  auto& pump = role == Role::kStderr ? error_ : output_;
  if (role == Role::kExec || !pump) return;
  pump->detach();
  auto descriptor = role == Role::kStderr            ? Descriptor::kError
                    : program_.ends.terminal.valid() ? Descriptor::kTerminal
                                                     : Descriptor::kOutput;
  // A program that still runs is to learn that nobody reads.
  if (phase_ == Phase::kRunning && descriptor != Descriptor::kTerminal) {
    descriptor_fd(descriptor).reset();
    pump.reset();
  } else {
    pump_output(pump, descriptor);
  }
}

// Whether all that goes to the host on a stream has been sent, with its end. A stream
// without a pump is that of a program that could not be started.
bool Process::finished(Role role) const {
  if (role == Role::kExec) return outbox_->finished();
  const auto& pump = role == Role::kStdio ? output_ : error_;
  return pump ? pump->ended() : phase_ == Phase::kEnded;
}

void Process::settle_streams() {
  for (Role role : {Role::kExec, Role::kStdio, Role::kStderr}) {
    auto& place = slot(role);
    if (!place || !finished(role) || !shared_.mux.at_end(*place)) continue;
    shared_.mux.close(*place);
    place.reset();
    if (role == Role::kExec) outbox_.reset();
    if (role == Role::kStdio) {
      input_.reset();
      program_.ends.input.reset();
    }
  }
}

void Process::abandon() {
  // The mux has forgotten the streams already.
  for (Role role : {Role::kExec, Role::kStdio, Role::kStderr})
    slot(role).reset();
  outbox_.reset();
  input_.reset();
  if (output_) output_->detach();
  if (error_) error_->detach();
  hang_up();
  auto descriptor = program_.ends.terminal.valid() ? Descriptor::kTerminal : Descriptor::kOutput;
  pump_output(output_, descriptor);
  pump_output(error_, Descriptor::kError);
}

// --- the program -------------------------------------------------------------

void Process::spawn(const wire::Spawn& order) {
  if (phase_ != Phase::kWaiting) return;
  if (order.terminal && stderr_) close_stream(Role::kStderr);
  Attached attached = stdio_ && stderr_ ? Attached::kStdioAndStderr
                      : stdio_          ? Attached::kStdio
                      : stderr_         ? Attached::kStderr
                                        : Attached::kNothing;
  auto program = start_program(order, attached, shared_.defaults);
  if (!program) {
    phase_ = Phase::kEnded;
    outbox_->send(wire::Failed{static_cast<std::uint32_t>(program.error().os_error),
                               program.error().message});
    outbox_->finish();
    drained_reported_ = true;
    if (stdio_) shared_.mux.finish(*stdio_);
    if (stderr_) shared_.mux.finish(*stderr_);
    return pump_input();
  }
  phase_ = Phase::kRunning;
  program_ = std::move(*program);
  outbox_->send(wire::Started{static_cast<std::uint32_t>(program_.pid)});
  start_pumps();
}

void Process::start_pumps() {
  auto& ends = program_.ends;
  bool terminal = ends.terminal.valid();
  int input = terminal ? ends.terminal.get() : ends.input.get();
  int output = terminal ? ends.terminal.get() : ends.output.get();
  if (input >= 0 && stdio_) {
    auto goal = terminal ? InputPump::Goal::kTerminal : InputPump::Goal::kPipe;
    input_.emplace(shared_.mux, input, *stdio_, goal);
  }
  if (output >= 0) output_.emplace(shared_.mux, output, stdio_);
  if (ends.error.valid()) error_.emplace(shared_.mux, ends.error.get(), stderr_);
  watch(program_.pidfd.get(), Descriptor::kPidfd);
  watch(ends.terminal.get(), Descriptor::kTerminal);
  watch(ends.input.get(), Descriptor::kInput);
  watch(ends.output.get(), Descriptor::kOutput);
  watch(ends.error.get(), Descriptor::kError);
  pump_input();
}

void Process::watch(int fd, Descriptor descriptor) {
  if (fd < 0) return;
  std::uint64_t tag = static_cast<std::uint64_t>(descriptor) << 32 | handle_;
  auto added = shared_.epoll.add(fd, EPOLLIN | EPOLLOUT | EPOLLET, tag);
  GONDOLIN_CHECK(added.has_value());
}

UniqueFd& Process::descriptor_fd(Descriptor descriptor) {
  switch (descriptor) {
    case Descriptor::kInput:
      return program_.ends.input;
    case Descriptor::kOutput:
      return program_.ends.output;
    case Descriptor::kError:
      return program_.ends.error;
    case Descriptor::kTerminal:
      return program_.ends.terminal;
    case Descriptor::kPidfd:
      break;
  }
  return program_.pidfd;
}

void Process::on_descriptor_event(Descriptor descriptor) {
  move(descriptor);
  settle_streams();
}

void Process::move(Descriptor descriptor) {
  switch (descriptor) {
    case Descriptor::kPidfd:
      return reap();
    case Descriptor::kInput:
      if (input_) input_->on_event();
      return pump_input();
    case Descriptor::kTerminal:
      if (input_) input_->on_event();
      pump_input();
      [[fallthrough]];
    case Descriptor::kOutput:
      if (output_) output_->on_event();
      return pump_output(output_, descriptor);
    case Descriptor::kError:
      if (error_) error_->on_event();
      return pump_output(error_, descriptor);
  }
}

void Process::pump_input() {
  if (!input_) {
    // Nobody will read what is meant for a program that could not be started.
    if (stdio_ && phase_ == Phase::kEnded) discard(*stdio_);
    return;
  }
  input_->pump();
  if (input_->ended()) program_.ends.input.reset();
}

void Process::pump_output(std::optional<OutputPump>& pump, Descriptor descriptor) {
  if (!pump) return;
  if (pump->pump() == OutputPump::Progress::kMore) {
    // Edge-triggered epoll tells again of what is there when it is asked anew.
    std::uint64_t tag = static_cast<std::uint64_t>(descriptor) << 32 | handle_;
    auto asked =
        shared_.epoll.modify(descriptor_fd(descriptor).get(), EPOLLIN | EPOLLOUT | EPOLLET, tag);
    GONDOLIN_CHECK(asked.has_value());
  }
  report_drained();
}

void Process::signal(int number) {
  if (phase_ != Phase::kRunning || number < 1 || number >= NSIG) return;
  pid_t group = 0;
  if (program_.ends.terminal.valid() &&
      (::ioctl(program_.ends.terminal.get(), TIOCGPGRP, &group) != 0 || group <= 0)) {
    group = 0;
  }
  ::kill(group > 0 ? -group : -program_.pid, number);
}

// The host wants no more of the program.
void Process::hang_up() {
  if (phase_ == Phase::kWaiting) phase_ = Phase::kEnded;
  close_stream(Role::kExec);
  close_stream(Role::kStdio);
  close_stream(Role::kStderr);
  if (phase_ != Phase::kRunning || kill_at_) return;
  signal_session(program_.pid, SIGHUP);
  signal_session(program_.pid, SIGCONT);
  kill_at_ = Clock::now() + kGrace;
}

void Process::on_deadline() {
  kill_at_.reset();
  signal_session(program_.pid, SIGKILL);
}

void Process::reap() {
  int status = 0;
  if (phase_ != Phase::kRunning || ::waitpid(program_.pid, &status, WNOHANG) != program_.pid)
    return;
  phase_ = Phase::kEnded;
  program_.pidfd.reset();
  if (outbox_) {
    if (WIFSIGNALED(status)) {
      outbox_->send(wire::Signaled{static_cast<std::uint8_t>(WTERMSIG(status))});
    } else {
      outbox_->send(wire::Exited{static_cast<std::uint8_t>(WEXITSTATUS(status))});
    }
  }
  // What the program wrote last may not have been announced yet.
  auto descriptor = program_.ends.terminal.valid() ? Descriptor::kTerminal : Descriptor::kOutput;
  if (output_) output_->on_event();
  pump_output(output_, descriptor);
  if (error_) error_->on_event();
  pump_output(error_, Descriptor::kError);
  report_drained();
}

void Process::report_drained() {
  if (phase_ != Phase::kEnded || drained_reported_) return;
  if ((output_ && !output_->drained()) || (error_ && !error_->drained())) return;
  drained_reported_ = true;
  if (!outbox_) return;
  outbox_->send(wire::Drained{});
  outbox_->finish();
}

bool Process::over() const {
  bool held = (output_ && !output_->ended()) || (error_ && !error_->ended());
  return phase_ == Phase::kEnded && !kill_at_ && !held && !exec_ && !stdio_ && !stderr_;
}

}  // namespace gondolin::guest
