// The host's side of the control port: runs programs in the guest, asks which TCP
// ports listen there, prepares a fresh guest and powers it off.
//
// The protocol is wire/control.hpp's; this file is the only one on the host that
// speaks it. Everything belongs to one event-loop thread. What the guest sends is
// not trusted: a message that breaks the protocol ends the program's streams.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "io/stream.hpp"
#include "vm/guest_files.hpp"
#include "vm/mux_channel.hpp"
#include "wire/control.hpp"

namespace gondolin::vm {

// How a program in the guest ended.
struct ExitStatus {
  std::uint8_t code = 0;    // its exit status, when no signal killed it
  std::uint8_t signal = 0;  // the signal that killed it, 0 for none

  // As a shell tells it: the code, or 128 plus the signal.
  [[nodiscard]] int shell_status() const { return signal != 0 ? 128 + signal : code; }
};

// A program that was started in the guest. Destroying it ends the program and
// everything in its session; no operation on it or its streams may be in progress
// then (reset the streams and wait for the operations first).
class GuestProcess {
 public:
  GuestProcess(const GuestProcess&) = delete;
  GuestProcess& operator=(const GuestProcess&) = delete;
  ~GuestProcess();

  // Writing goes to the program's standard input, which shutdown_write() ends;
  // reading gives its standard output, or all the terminal shows. Output ends when
  // nobody in the guest can write it any more, or when the program has ended and
  // all that it wrote itself has been read.
  [[nodiscard]] ByteStream& stdio();
  // Reading gives the program's standard error, ending as standard output does; at
  // its end from the start for a program on a terminal. Nothing can be written.
  [[nodiscard]] ByteStream& error();

  // The program's process id in the guest.
  [[nodiscard]] std::uint32_t pid() const;

  // Changes the terminal's size; without a terminal it does nothing.
  void resize(wire::TerminalSize size);
  // Sends a signal (1 to 64, Linux's numbers) to the foreground process group of
  // the terminal, or to the program's group. Both return at once and do nothing
  // for a program that has ended.
  void signal(std::uint8_t number);

  // Waits until the program has ended. Output may still wait to be read. kReset
  // when the guest or its sandboxd went away first, kCancelled after cancel(). May
  // be called again after it returned; one call at a time.
  [[nodiscard]] Awaitable<Result<ExitStatus>> wait();

  // Ends the program and makes every operation in progress return kCancelled.
  void cancel();

 private:
  friend class ControlClient;
  struct State;
  explicit GuestProcess(std::shared_ptr<State> state);

  std::shared_ptr<State> state_;
};

// Cheap to copy around by reference; must not outlive its channel.
class ControlClient {
 public:
  // `channel` is that of the control port and must outlive this client.
  explicit ControlClient(MuxChannel& channel) : channel_(channel) {}

  // Starts a program; returns when it runs, its input and output streams open.
  // kInvalidArgument for an empty argv or a NUL in a string, kNotFound when there
  // is no such program or directory, kRefused when it may not be executed,
  // kUnavailable when the guest is gone, kTimeout when it has not answered by the deadline.
  [[nodiscard]] Awaitable<Result<std::unique_ptr<GuestProcess>>> exec(
      const wire::Spawn& spawn, std::chrono::milliseconds deadline = kStartDeadline);
  static constexpr std::chrono::milliseconds kStartDeadline{60'000};

  // The TCP ports that listen in the guest, sorted by port, then address.
  [[nodiscard]] Awaitable<Result<std::vector<wire::ListeningPort>>> listening_ports(
      std::chrono::milliseconds deadline = std::chrono::seconds(2));

  // The guest's files.
  [[nodiscard]] GuestFiles files() const { return GuestFiles(channel_); }

  // Gives a guest its clock, entropy and names; see wire::PrepareTarget.
  [[nodiscard]] Awaitable<Status> prepare(const wire::PrepareTarget& target,
                                          std::chrono::milliseconds deadline);

 private:
  // Opens a stream to `target` and waits for the guest's answer.
  [[nodiscard]] Awaitable<Result<std::unique_ptr<MuxStream>>> request(
      const wire::ControlTarget& target, std::chrono::milliseconds deadline);

  MuxChannel& channel_;
};

}  // namespace gondolin::vm
