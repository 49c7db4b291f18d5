#include "guest/sandboxd/server.hpp"

#include <algorithm>
#include <cerrno>
#include <vector>

#include "guest/sandboxd/machine.hpp"
#include "guest/sandboxd/ports.hpp"
#include "wire/data_frame.hpp"

namespace gondolin::guest {
namespace {

using wire::MuxEvent;
using wire::StreamId;

// The tag of the port; descriptors of programs have a number in the upper half.
constexpr std::uint64_t kPortTag = 0;

std::uint32_t value_of(StreamId id) {
  return static_cast<std::uint32_t>(id);
}

}  // namespace

ControlServer::ControlServer(Epoll epoll, UniqueFd port, ChildDefaults defaults)
    : epoll_(std::move(epoll)),
      defaults_(defaults),
      port_(
          std::move(port), wire::kDataWindow,
          [this](const MuxEvent& event) { on_stream_event(event); }, [this] { drop_all(); }),
      files_(port_.mux(), epoll_) {}

Status ControlServer::serve() {
  if (auto added = port_.port().watch(epoll_, kPortTag); !added) return added;
  while (true) {
    auto turn = port_.turn();
    if (!turn) return tl::unexpected(turn.error());
    auto limit = until_next_deadline();
    if (*turn == MuxPort::Turn::kMore) limit = std::chrono::milliseconds(0);
    auto events = epoll_.wait(limit);
    if (!events) return tl::unexpected(events.error());
    for (const auto& event : *events)
      on_descriptor_event(event);
    meet_deadlines();
  }
}

void ControlServer::on_descriptor_event(const epoll_event& event) {
  if (event.data.u64 == kPortTag) return port_.port().on_event(event.events);
  if (FileWorkers::owns(event.data.u64)) return files_.on_descriptor_event(event.data.u64);
  // A process may have gone since epoll looked.
  auto handle = static_cast<std::uint32_t>(event.data.u64);
  auto found = processes_.find(handle);
  if (found == processes_.end()) return;
  found->second.process->on_descriptor_event(
      static_cast<Process::Descriptor>(event.data.u64 >> 32));
  look_after(handle);
}

void ControlServer::on_stream_event(const MuxEvent& event) {
  if (event.kind == MuxEvent::Kind::kOpen) return open(event.stream, event.target);
  if (auto answer = answers_.find(value_of(event.stream)); answer != answers_.end()) {
    return on_answer_event(answer->second, event);
  }
  if (files_.owns(event.stream)) return files_.on_stream_event(event);
  auto member = members_.find(value_of(event.stream));
  if (member == members_.end()) return;
  auto [handle, role] = member->second;
  processes_.at(handle).process->on_stream_event(role, event);
  look_after(handle);
}

// A stream that only carries an answer ends when both sides have ended it.
void ControlServer::on_answer_event(Outbox& answer, const MuxEvent& event) {
  wire::Mux& mux = port_.mux();
  if (event.kind == MuxEvent::Kind::kReadable) {
    for (Bytes bytes; !(bytes = mux.read(event.stream)).empty();)
      mux.consume(event.stream, bytes.size());
  } else if (event.kind == MuxEvent::Kind::kWritable) {
    answer.flush();
  }
  bool over = answer.finished() && mux.at_end(event.stream);
  if (event.kind != MuxEvent::Kind::kReset && !over) return;
  mux.close(event.stream);
  answers_.erase(value_of(event.stream));
}

void ControlServer::drop_all() {
  members_.clear();
  answers_.clear();
  files_.drop_all();
  std::vector<std::uint32_t> handles;
  handles.reserve(processes_.size());
  for (auto& [handle, running] : processes_)
    handles.push_back(handle);
  for (auto handle : handles) {
    processes_.at(handle).process->abandon();
    look_after(handle);
  }
}

// --- opening -----------------------------------------------------------------

void ControlServer::open(StreamId stream, Bytes payload) {
  auto target = wire::decode_target(payload);
  if (!target) return port_.mux().refuse(stream, EPROTO);
  std::visit([&](const auto& which) { open(stream, which); }, *target);
}

void ControlServer::open(StreamId stream, const wire::ExecTarget&) {
  std::uint32_t handle = ++last_handle_;
  Process::Shared shared{.mux = port_.mux(), .epoll = epoll_, .defaults = defaults_};
  processes_.emplace(handle, Running{.process = std::make_unique<Process>(shared, handle, stream),
                                     .streams = {value_of(stream)}});
  members_[value_of(stream)] = {handle, Process::Role::kExec};
}

void ControlServer::open(StreamId stream, const wire::StdioTarget& target) {
  attach(stream, target.exec, Process::Role::kStdio);
}

void ControlServer::open(StreamId stream, const wire::StderrTarget& target) {
  attach(stream, target.exec, Process::Role::kStderr);
}

void ControlServer::attach(StreamId stream, std::uint32_t exec, Process::Role role) {
  auto found = members_.find(exec);
  if (found == members_.end() || found->second.role != Process::Role::kExec) {
    return port_.mux().refuse(stream, ESRCH);
  }
  std::uint32_t handle = found->second.handle;
  auto& [process, streams] = processes_.at(handle);
  if (process->stream(Process::Role::kExec) != StreamId{exec}) {
    return port_.mux().refuse(stream, ESRCH);
  }
  process->attach(role, stream);
  if (process->stream(role) != stream) return;
  members_[value_of(stream)] = {handle, role};
  streams.push_back(value_of(stream));
}

void ControlServer::open(StreamId stream, const wire::PortsTarget&) {
  Outbox& answer = start_answer(stream);
  answer.send(listening_ports());
  answer.finish();
}

void ControlServer::open(StreamId stream, const wire::PrepareTarget& target) {
  // A socket stands in for the port: this machine is not ours to change.
  answer_done(stream,
              port_.port().is_socket() ? fail_errno("prepare", ENOTSUP) : prepare_machine(target));
}

void ControlServer::open(StreamId stream, const wire::PowerOffTarget&) {
  answer_done(stream, port_.port().is_socket() ? fail_errno("power off", ENOTSUP) : power_off());
}

void ControlServer::open(StreamId stream, const wire::FilesTarget&) {
  files_.open(stream);
}

void ControlServer::answer_done(StreamId stream, const Status& done) {
  if (!done) return port_.mux().refuse(stream, static_cast<std::uint32_t>(done.error().os_error));
  start_answer(stream).finish();
}

Outbox& ControlServer::start_answer(StreamId stream) {
  port_.mux().accept(stream);
  return answers_.try_emplace(value_of(stream), port_.mux(), stream).first->second;
}

// --- processes ---------------------------------------------------------------

void ControlServer::look_after(std::uint32_t handle) {
  auto found = processes_.find(handle);
  if (!found->second.process->over()) return;
  for (auto stream : found->second.streams)
    members_.erase(stream);
  processes_.erase(found);
}

std::optional<std::chrono::milliseconds> ControlServer::until_next_deadline() const {
  auto next = files_.next_deadline();
  for (const auto& [handle, running] : processes_) {
    auto deadline = running.process->deadline();
    if (deadline && (!next || *deadline < *next)) next = deadline;
  }
  if (!next) return std::nullopt;
  auto left = std::chrono::ceil<std::chrono::milliseconds>(*next - Process::Clock::now());
  return std::max(left, std::chrono::milliseconds(0));
}

void ControlServer::meet_deadlines() {
  auto now = Process::Clock::now();
  files_.meet_deadlines(now);
  std::vector<std::uint32_t> due;
  for (const auto& [handle, running] : processes_) {
    auto deadline = running.process->deadline();
    if (deadline && *deadline <= now) due.push_back(handle);
  }
  for (auto handle : due) {
    processes_.at(handle).process->on_deadline();
    look_after(handle);
  }
}

}  // namespace gondolin::guest
