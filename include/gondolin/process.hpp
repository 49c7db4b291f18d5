// Programs in the guest: what to run, a running one, and the result of a whole run.
//
// Errors are ApiError. Standard library only.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <stop_token>
#include <string>
#include <vector>

#include "gondolin/async.hpp"
#include "gondolin/export.hpp"

namespace gondolin {

// Of a terminal, in characters.
struct TerminalSize {
  std::uint16_t rows = 24;     // lines
  std::uint16_t columns = 80;  // characters in each
};

// What to run, and how.
struct ExecOptions {
  // The program and its arguments; the program is looked up in the guest's PATH.
  std::vector<std::string> argv;
  // Set on top of the guest's default environment.
  std::map<std::string, std::string> env{};
  // The working directory; empty for root's home.
  std::string cwd{};
  // Runs the program on a terminal of this size: its output is all on stdout.
  std::optional<TerminalSize> terminal{};
};

// How a program ended.
struct ExitStatus {
  int code = 0;    // its exit status, where it exited
  int signal = 0;  // the signal that killed it, 0 if none did

  // As a shell tells it: the code, or 128 plus the signal.
  [[nodiscard]] int shell_status() const { return signal != 0 ? 128 + signal : code; }
};

// What Vm::run() adds to running a program.
struct RunOptions {
  // The program's whole stdin, which then ends.
  std::string input{};
  // How much is kept of stdout, and as much of stderr. The program may write more: it is
  // read, so that the program goes on, and dropped.
  std::size_t max_output_bytes = 16 * 1024 * 1024;
  // The program and its session are killed when this much time has passed.
  std::optional<std::chrono::milliseconds> timeout{};
  // Kills them when a stop is requested; the call then fails with kCancelled.
  std::stop_token cancel{};
};

// What a program did that Vm::run() ran.
struct RunResult {
  ExitStatus status;   // signal 9 for one that timed out
  std::string output;  // of stdout, its beginning
  std::string errors;  // of stderr
  // Bytes beyond RunOptions::max_output_bytes, which were dropped.
  std::uint64_t output_dropped = 0;
  std::uint64_t errors_dropped = 0;  // as above, of stderr
  bool timed_out = false;  // killed by RunOptions::timeout; the output is what came until then
};

// A program running in the guest. When destroyed, the program and its session are killed
// if they still run: they are sent SIGHUP, and SIGKILL soon after.
//
// Any thread may call, several at once: one may read stdout, another stderr, a third
// write stdin, and others call the rest. A second read of one stream while the first is
// in progress fails with kInvalidArgument; so does a second write. It may be destroyed
// while asynchronous calls are in progress, but not while a blocking one is: kill() ends
// those.
//
// Output that nobody reads holds the program up once some 64 KiB are waiting.
class GONDOLIN_API Process {
 public:
  // What is behind it; the library's own business.
  class Impl;

  explicit Process(std::unique_ptr<Impl> impl);
  Process(Process&&) noexcept;
  Process& operator=(Process&&) noexcept;
  ~Process();

  // Reads at least one byte and returns how many; 0 when the program and all who
  // share the stream have closed it, or the program has ended and everything it
  // wrote has been read.
  std::size_t read_stdout(std::span<std::byte> buffer);
  // The same of stderr.
  std::size_t read_stderr(std::span<std::byte> buffer);

  // Reads 1 to `max` bytes, as read_stdout(); an empty string is the end.
  void async_read_stdout(std::size_t max, Completion<std::string> done);
  // The same of stderr.
  void async_read_stderr(std::size_t max, Completion<std::string> done);

  // Nobody will read the stream any more: the program's next write to it fails as
  // on a closed pipe. Closing stdout ends stdin too. Does not block.
  void close_stdout();
  // The same of stderr.
  void close_stderr();

  // Returns when all bytes are on their way. False when the program no longer
  // reads: further writes are useless.
  [[nodiscard]] bool write_stdin(std::span<const std::byte> bytes);
  // Writes all of `bytes`, as write_stdin().
  void async_write_stdin(std::string bytes, Completion<bool> done);
  // The program reads the end of its stdin once it has read what was written, a write
  // that is still in progress included. Does not block.
  void close_stdin();

  // Does nothing for a program without a terminal. Does not block.
  void resize(TerminalSize size);

  // Sends a signal, 1 to 64 in Linux's numbers, to the program. Does not block.
  void signal(int number);

  // Waits for the program to end, however many calls do. kCancelled after kill() or when
  // the VM was closed, kFailed when the guest died.
  ExitStatus wait();
  // The same.
  void async_wait(Completion<ExitStatus> done);

  // Kills the program and its session, as destroying does, and ends all calls in progress:
  // reads at the end of the stream, writes with false, waits with kCancelled. Does not
  // block.
  void kill();

 private:
  std::unique_ptr<Impl> impl_;
};

}  // namespace gondolin
