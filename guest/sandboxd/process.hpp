// One program run for the host: its exec stream, the streams attached to it, and the
// processes of its session.
//
// It lives from the opening of the exec stream until the program has ended, has been
// waited for, and nobody holds its pipes any more. The end of the program is told at
// once (Exited, Signaled); Drained and the end of the exec stream follow when all
// that was in the pipes has been sent. When others still hold the pipes then, output
// goes on to the host for as long as its streams stay open, and to nowhere after that.
// When the host ends the exec stream while the program runs, the session gets SIGHUP,
// and SIGKILL a little later.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>

#include "guest/common/epoll.hpp"
#include "guest/sandboxd/outbox.hpp"
#include "guest/sandboxd/pump.hpp"
#include "guest/sandboxd/spawn.hpp"
#include "wire/control.hpp"
#include "wire/mux.hpp"

namespace gondolin::guest {

class Process {
 public:
  using Clock = std::chrono::steady_clock;

  // The streams a program can have.
  enum class Role : std::uint8_t { kExec, kStdio, kStderr };

  // The descriptors of it that epoll watches, in the upper half of their events' tags;
  // the lower half is `handle`.
  enum class Descriptor : std::uint32_t { kPidfd = 1, kInput, kOutput, kError, kTerminal };

  // What all processes share; outlives them.
  struct Shared {
    wire::Mux& mux;
    Epoll& epoll;
    const ChildDefaults& defaults;
  };

  // Accepts the exec stream `exec`.
  Process(const Shared& shared, std::uint32_t handle, wire::StreamId exec);
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;

  // Attaches a stream and accepts it, or refuses it when it comes too late.
  void attach(Role role, wire::StreamId stream);

  void on_stream_event(Role role, const wire::MuxEvent& event);
  void on_descriptor_event(Descriptor descriptor);

  // Every stream is gone, with the port: as if the host had ended them all.
  void abandon();

  // When on_deadline() is to be called, if at all.
  [[nodiscard]] std::optional<Clock::time_point> deadline() const { return kill_at_; }
  void on_deadline();

  // Whether nothing is left of the program and its streams.
  [[nodiscard]] bool over() const;

  // The streams that are still open.
  [[nodiscard]] std::optional<wire::StreamId> stream(Role role) const;

 private:
  enum class Phase : std::uint8_t { kWaiting, kRunning, kEnded };

  void react(Role role, const wire::MuxEvent& event);
  void move(Descriptor descriptor);
  void on_exec_input();
  void discard(wire::StreamId stream);
  void handle(const wire::ControlMessage& message);
  void spawn(const wire::Spawn& spawn);
  void watch(int fd, Descriptor descriptor);
  void start_pumps();
  void signal(int number);
  void hang_up();
  void reap();

  void pump_input();
  void pump_output(std::optional<OutputPump>& pump, Descriptor descriptor);
  void report_drained();
  void close_stream(Role role);
  // Closes the streams whose two directions have ended.
  void settle_streams();
  [[nodiscard]] bool finished(Role role) const;
  [[nodiscard]] std::optional<wire::StreamId>& slot(Role role);
  [[nodiscard]] UniqueFd& descriptor_fd(Descriptor descriptor);

  Shared shared_;
  std::uint32_t handle_;
  Phase phase_ = Phase::kWaiting;
  std::optional<wire::StreamId> exec_;
  std::optional<wire::StreamId> stdio_;
  std::optional<wire::StreamId> stderr_;
  std::optional<Outbox> outbox_;  // of the exec stream
  wire::MessageReader messages_;
  Program program_;
  std::optional<InputPump> input_;
  std::optional<OutputPump> output_;
  std::optional<OutputPump> error_;
  bool drained_reported_ = false;
  std::optional<Clock::time_point> kill_at_;
};

}  // namespace gondolin::guest
