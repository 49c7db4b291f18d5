// A program in the guest as many may use it at once: what the public Process hands out to
// threads and completions, over a GuestProcess that knows one reader, one writer and one
// waiter.
//
// Belongs to the loop's thread. Whoever awaits a member holds the object by its shared
// pointer; cancel() must be called before its owner lets go, so that all of them end.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "api/promise.hpp"
#include "gondolin/process.hpp"
#include "vm/control_client.hpp"

namespace gondolin::api {

class SharedProcess : public std::enable_shared_from_this<SharedProcess> {
 public:
  enum class Output : std::uint8_t { kStdout, kStderr };

  // `closed` becomes true when the user has closed the VM.
  SharedProcess(const asio::any_io_executor& executor, std::shared_ptr<const bool> closed,
                std::unique_ptr<vm::GuestProcess> process)
      : executor_(executor), closed_(std::move(closed)), process_(std::move(process)) {}
  SharedProcess(const SharedProcess&) = delete;
  SharedProcess& operator=(const SharedProcess&) = delete;

  // Reads at least one byte into `buffer`; 0 is the end, however it came to be. Throws
  // kInvalidArgument while another read of that stream is in progress.
  [[nodiscard]] Awaitable<std::size_t> read(Output output, MutableBytes buffer);
  // The program's writes to the stream fail from now on.
  void close(Output output) { stream(output).reset(); }

  // Whether the program took all of `bytes`. Throws kInvalidArgument while another write
  // is in progress.
  [[nodiscard]] Awaitable<bool> write(Bytes bytes);
  // Ends the program's input behind what is being written.
  void close_input();

  void resize(TerminalSize size) { process_->resize({.rows = size.rows, .columns = size.columns}); }
  void signal(std::uint8_t number) { process_->signal(number); }

  // Tells `promise` how the program ended, once it has.
  void wait(Promise<ExitStatus> promise);
  // The same, for a coroutine.
  [[nodiscard]] Awaitable<ExitStatus> ended();

  // Kills the program and its session and ends what is in progress.
  void cancel();

 private:
  [[nodiscard]] ByteStream& stream(Output output) {
    return output == Output::kStdout ? process_->stdio() : process_->error();
  }
  [[nodiscard]] Awaitable<void> watch();
  void tell(Outcome<ExitStatus> exit);

  const asio::any_io_executor executor_;
  const std::shared_ptr<const bool> closed_;
  const std::unique_ptr<vm::GuestProcess> process_;
  bool reading_[2] = {false, false};  // by Output
  bool writing_ = false;
  bool input_ends_ = false;  // close_input() was called
  bool watching_ = false;    // watch() runs, or has ended
  std::optional<Outcome<ExitStatus>> exit_;
  std::vector<Promise<ExitStatus>> waiters_;
};

}  // namespace gondolin::api
