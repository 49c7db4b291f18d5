// sandboxd: runs programs for the host, serves its requests about files, tells which
// ports listen, and does what the host asks of the machine. It serves the control port and nothing
// else.
//
// One thread, one epoll set. A turn of the loop handles the descriptors of programs
// that have events, then the port, so that what programs wrote leaves in few writes.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <unordered_map>
#include <vector>

#include "base/result.hpp"
#include "base/unique_fd.hpp"
#include "guest/common/epoll.hpp"
#include "guest/common/mux_port.hpp"
#include "guest/sandboxd/file_workers.hpp"
#include "guest/sandboxd/outbox.hpp"
#include "guest/sandboxd/process.hpp"
#include "guest/sandboxd/spawn.hpp"
#include "wire/control.hpp"

namespace gondolin::guest {

class ControlServer {
 public:
  ControlServer(Epoll epoll, UniqueFd port, ChildDefaults defaults);
  ControlServer(const ControlServer&) = delete;
  ControlServer& operator=(const ControlServer&) = delete;

  // Serves until the port fails.
  [[nodiscard]] Status serve();

 private:
  struct Running {
    std::unique_ptr<Process> process;
    std::vector<std::uint32_t> streams;  // ids of all streams it ever had
  };
  // A stream that belongs to a program, or did.
  struct Member {
    std::uint32_t handle;
    Process::Role role;
  };

  void on_descriptor_event(const epoll_event& event);
  void on_stream_event(const wire::MuxEvent& event);
  void on_answer_event(Outbox& answer, const wire::MuxEvent& event);
  void drop_all();

  void open(wire::StreamId stream, Bytes payload);
  void open(wire::StreamId stream, const wire::ExecTarget& target);
  void open(wire::StreamId stream, const wire::StdioTarget& target);
  void open(wire::StreamId stream, const wire::StderrTarget& target);
  void open(wire::StreamId stream, const wire::PortsTarget& target);
  void open(wire::StreamId stream, const wire::PrepareTarget& target);
  void open(wire::StreamId stream, const wire::PowerOffTarget& target);
  void open(wire::StreamId stream, const wire::FilesTarget& target);
  void attach(wire::StreamId stream, std::uint32_t exec, Process::Role role);
  void answer_done(wire::StreamId stream, const Status& done);
  Outbox& start_answer(wire::StreamId stream);

  // Forgets the process, and which streams it had, when nothing is left of it.
  void look_after(std::uint32_t handle);
  [[nodiscard]] std::optional<std::chrono::milliseconds> until_next_deadline() const;
  void meet_deadlines();

  Epoll epoll_;
  ChildDefaults defaults_;
  MuxPort port_;
  FileWorkers files_;
  std::uint32_t last_handle_ = 0;
  std::unordered_map<std::uint32_t, Running> processes_;  // by handle
  std::unordered_map<std::uint32_t, Member> members_;     // by stream id
  std::unordered_map<std::uint32_t, Outbox> answers_;     // by stream id
};

}  // namespace gondolin::guest
