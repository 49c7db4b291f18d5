// What a GuestProcess is made of: its three streams, and two coroutines that read
// and write the messages of the first. Internal to the control client.
//
// The coroutines hold the state; cancel() ends the streams and thereby them.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>

#include "io/signal.hpp"
#include "vm/control_client.hpp"
#include "vm/mux_channel.hpp"

namespace gondolin::vm {

// Output of a program that has none: at its end from the start.
class EmptyStream final : public ByteStream {
 public:
  Awaitable<Result<std::size_t>> read_some(MutableBytes buffer) override;
  Awaitable<Status> write(std::span<const Bytes> parts) override;
  void shutdown_write() override {}
  void reset() noexcept override {}
};

struct GuestProcess::State : std::enable_shared_from_this<State> {
 public:
  // `error` is null for a program on a terminal.
  State(const asio::any_io_executor& executor, std::unique_ptr<MuxStream> exec,
        std::unique_ptr<MuxStream> stdio, std::unique_ptr<MuxStream> error);

  // Begins to read and write messages.
  void start();

  [[nodiscard]] MuxStream& exec() { return *exec_; }
  [[nodiscard]] MuxStream& stdio() { return *stdio_; }
  [[nodiscard]] ByteStream& error();
  [[nodiscard]] std::uint32_t pid() const { return pid_.value_or(0); }

  // Wait for Started, and for Exited or Signaled. One waiter at a time in all.
  [[nodiscard]] Awaitable<Status> started();
  [[nodiscard]] Awaitable<Result<ExitStatus>> exited();

  void resize(wire::TerminalSize size);
  void signal(std::uint8_t number);
  void cancel();

 private:
  // Signals that wait for a guest which takes no messages; more are dropped.
  static constexpr std::size_t kMaxSignals = 64;

  [[nodiscard]] Awaitable<void> read_messages();
  [[nodiscard]] Awaitable<void> write_messages();
  // Acts on what arrived; an error when it breaks the protocol.
  [[nodiscard]] Status receive(Bytes bytes);
  [[nodiscard]] Status handle(const wire::ControlMessage& message);
  [[nodiscard]] std::optional<wire::ControlMessage> next_to_send();
  void finish(Error why);
  void output_complete();

  asio::any_io_executor executor_;
  std::unique_ptr<MuxStream> exec_;
  std::unique_ptr<MuxStream> stdio_;
  std::unique_ptr<MuxStream> error_;
  EmptyStream no_error_;
  wire::MessageReader reader_;
  std::optional<std::uint32_t> pid_;
  std::optional<ExitStatus> exit_;
  std::optional<Error> over_;  // no message follows, and why
  std::optional<wire::TerminalSize> new_size_;
  std::deque<std::uint8_t> signals_;
  Signal changed_;  // pid_, exit_ or over_ was set
  Signal to_send_;  // new_size_, signals_ or over_ was set
};

}  // namespace gondolin::vm
