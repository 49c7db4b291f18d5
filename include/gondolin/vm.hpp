// A micro-VM: start it, run programs in it, open its HTTP servers to the host.
//
// Every function may be called from any thread, and blocks until it is done
// unless it says otherwise. Errors are ApiError. Callbacks run on the VM's own
// thread: they must not block, and must not call back into the VM.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <stop_token>
#include <string>
#include <vector>

#include "gondolin/debug.hpp"
#include "gondolin/export.hpp"
#include "gondolin/image.hpp"
#include "gondolin/ingress.hpp"

namespace gondolin {

// What executes the guest's instructions. kAuto takes KVM where it has been seen
// to boot a guest on this machine, and emulation (QEMU's TCG) otherwise.
enum class Accelerator { kAuto, kKvm, kTcg };

// How a VM comes to life. With kTemplate the first VM of an image (and of a memory size,
// a number of CPUs, …) boots, and what it is then is kept in a cache; every later one is
// a copy that goes on from there, with entropy, clock and identity of its own. A boot
// takes over whenever that does not work. See docs/architecture.md.
enum class StartFrom { kTemplate, kBoot };

// Something the user of a VM may want to hear of while it runs.
struct VmEvent {
  enum class Kind {
    kEmulation,        // the guest runs under emulation; the message says why
    kBootRetry,        // the first boot hung and is tried again
    kDaemonRestarted,  // a guest daemon died and came back; its streams were reset
    kProtocolError,    // the guest broke the protocol on a channel, which starts over
    kGuestDied,        // the guest ended by itself: panic, power-off, QEMU killed
  };
  Kind kind;
  std::string message;  // one line, without a newline
};

struct VmOptions {
  // A tag or an id that ImageStore::resolve() finds in the store.
  std::string image = kDefaultImage;
  ImageStoreOptions image_store;
  unsigned memory_mib = 1024;  // the guest's memory, 128 to 1,048,576 MiB
  unsigned cpus = 2;           // virtual CPUs, 1 to 64
  Accelerator accelerator = Accelerator::kAuto;
  StartFrom start_from = StartFrom::kTemplate;
  std::function<void(const VmEvent&)> on_event;
  DebugOptions debug;
  // Ends a create() that is in progress, which then throws kCancelled.
  std::stop_token cancel;
};

struct TerminalSize {
  std::uint16_t rows = 24;
  std::uint16_t columns = 80;
};

struct ExecOptions {
  // The program and its arguments; the program is looked up in the guest's PATH.
  std::vector<std::string> argv;
  // Set on top of the guest's default environment.
  std::map<std::string, std::string> env;
  // The working directory; empty for root's home.
  std::string cwd;
  // Runs the program on a terminal of this size: its output is all on stdout.
  std::optional<TerminalSize> terminal;
};

// How a program ended.
struct ExitStatus {
  int code = 0;    // its exit status, where it exited
  int signal = 0;  // the signal that killed it, 0 if none did

  // As a shell tells it: the code, or 128 plus the signal.
  [[nodiscard]] int shell_status() const { return signal != 0 ? 128 + signal : code; }
};

// A program running in the guest. One thread may read stdout, another stderr, a
// third write stdin, and others call the rest, all at once. Output that nobody
// reads holds the program up once some 64 KiB are waiting. When destroyed, the
// program and its session are killed if they still run.
class GONDOLIN_API Process {
 public:
  Process(Process&&) noexcept;
  Process& operator=(Process&&) noexcept;
  ~Process();

  // Reads at least one byte and returns how many; 0 when the program and all who
  // share the stream have closed it, or the program has ended and everything it
  // wrote has been read.
  std::size_t read_stdout(std::span<std::byte> buffer);
  std::size_t read_stderr(std::span<std::byte> buffer);

  // Nobody will read the stream any more: the program's next write to it fails as
  // on a closed pipe. Closing stdout ends stdin too. Does not block.
  void close_stdout();
  void close_stderr();

  // Returns when all bytes are on their way. False when the program no longer
  // reads: further writes are useless.
  [[nodiscard]] bool write_stdin(std::span<const std::byte> bytes);
  void close_stdin();

  // Does nothing for a program without a terminal. Does not block.
  void resize(TerminalSize size);

  // Sends a signal, 1 to 64 in Linux's numbers, to the program. Does not block.
  void signal(int number);

  // Waits for the program to end.
  ExitStatus wait();

 private:
  friend class Vm;
  class Impl;
  explicit Process(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

// One VM, gone with all that is in it when closed or destroyed.
class GONDOLIN_API Vm {
 public:
  // Boots a VM from an image that exists; returns when programs can run in it.
  // kNotFound when there is no such image, kUnavailable when QEMU or the
  // accelerator asked for is missing, kFailed (with the console's last lines)
  // when the guest does not come up.
  [[nodiscard]] static Vm create(VmOptions options);

  Vm(Vm&&) noexcept;
  Vm& operator=(Vm&&) noexcept;
  ~Vm();

  // Starts a program. kNotFound when there is no such program or directory.
  [[nodiscard]] Process exec(const ExecOptions& options);

  // Starts the ingress gateway; one per VM at a time. Routes are read from
  // /etc/gondolin/listeners inside the guest.
  [[nodiscard]] Ingress enable_ingress(const IngressOptions& options);

  // Ends the VM at once, and with it the programs that run in it and its gateway.
  // Nothing of a VM outlives it, so nothing in it is asked first. May be called again.
  void close();

 private:
  class Impl;
  explicit Vm(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace gondolin
