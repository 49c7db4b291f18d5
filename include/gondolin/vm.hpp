// A micro-VM: start it, run programs in it, open its HTTP servers to the host.
//
// Every function may be called from any thread, several at once, and blocks until it is
// done unless it says otherwise or its name begins with "async_" (see async.hpp). Errors
// are ApiError. Callbacks run on the VM's own thread: they must not block and must not
// throw, and a blocking function that is called in one throws kInvalidArgument.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <stop_token>
#include <string>
#include <vector>

#include "gondolin/async.hpp"
#include "gondolin/debug.hpp"
#include "gondolin/export.hpp"
#include "gondolin/fs.hpp"
#include "gondolin/image.hpp"
#include "gondolin/ingress.hpp"
#include "gondolin/process.hpp"
#include "gondolin/vfs.hpp"

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
  // What happened.
  enum class Kind {
    kEmulation,        // the guest runs under emulation; the message says why
    kBootRetry,        // the first boot hung and is tried again
    kDaemonRestarted,  // a guest daemon died and came back; its streams were reset
    kProtocolError,    // the guest broke the protocol on a channel, which starts over
    kGuestDied,        // the guest ended by itself: panic, power-off, QEMU killed
  };
  Kind kind;            // for programs
  std::string message;  // one line, without a newline
};

// What VM to start, and how.
struct VmOptions {
  // A tag or an id that ImageStore::resolve() finds in the store.
  std::string image = kDefaultImage;
  ImageStoreOptions image_store;                 // where the image is
  unsigned memory_mib = 1024;                    // the guest's memory, 128 to 1,048,576 MiB
  unsigned cpus = 2;                             // virtual CPUs, 1 to 64
  Accelerator accelerator = Accelerator::kAuto;  // what executes its instructions
  StartFrom start_from = StartFrom::kTemplate;   // how it comes to life
  // Directories of the guest that providers of this program serve; see vfs.hpp. They are
  // there before create() returns. One that covers /etc/gondolin, or a part of it, makes
  // enable_ingress() fail.
  std::vector<VfsMount> mounts;
  // Hears of what happens to the VM, during create() too.
  std::function<void(const VmEvent&)> on_event;
  DebugOptions debug;  // off by default
  // Ends a create() that is in progress, which then throws kCancelled.
  std::stop_token cancel;
};

// A TCP port that a program in the guest listens on.
struct ListeningPort {
  // Which connections reach it. Ingress reaches those of kLoopback and kAny.
  enum class Scope {
    kLoopback,  // bound to 127.0.0.0/8 or ::1
    kAny,       // bound to all addresses
    kOther,     // bound to another address
  };

  std::uint16_t port = 0;          // 1 to 65535
  Scope scope = Scope::kLoopback;  // who can connect to it
  bool ipv6 = false;               // of an IPv6 socket; one of kAny usually takes IPv4 as well
  int pid = 0;          // of one process that has it open, in the guest; 0 if none was found
  std::string process;  // that process's name, as ps shows it

  bool operator==(const ListeningPort&) const = default;
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
  // The same.
  void async_exec(const ExecOptions& options, Completion<Process> done);

  // Runs a program to its end and returns what it wrote. A program that ends with another
  // status than 0, or times out, is a result and no error. kNotFound when there is no such
  // program or directory, kCancelled when options.cancel says so or the VM is closed.
  RunResult run(const ExecOptions& program, const RunOptions& options = {});
  // The same.
  void async_run(const ExecOptions& program, RunOptions options, Completion<RunResult> done);

  // The TCP ports that listen in the guest, sorted by port. kTimeout when the guest does
  // not answer within 2 s.
  [[nodiscard]] std::vector<ListeningPort> listening_ports();
  // The same.
  void async_listening_ports(Completion<std::vector<ListeningPort>> done);

  // Returns when a program in the guest listens on `port` where ingress reaches it, and
  // says which. Looks some ten times a second. kTimeout when that takes longer than
  // `timeout`; the message says what listens instead. kCancelled when `cancel` asks to
  // stop or the VM is closed.
  ListeningPort wait_for_port(std::uint16_t port, std::chrono::milliseconds timeout,
                              const std::stop_token& cancel = {});
  // The same.
  void async_wait_for_port(std::uint16_t port, std::chrono::milliseconds timeout,
                           std::stop_token cancel, Completion<ListeningPort> done);

  // The files in the guest; see fs.hpp. Does not block.
  [[nodiscard]] GuestFs fs();

  // Starts the ingress gateway; one per VM at a time. Routes are read from
  // /etc/gondolin/listeners inside the guest. kInvalidArgument when a mount covers that.
  [[nodiscard]] Ingress enable_ingress(const IngressOptions& options);

  // The routes in force, whether the gateway is open or not. kCancelled once the VM was
  // closed.
  [[nodiscard]] std::vector<IngressRoute> ingress_routes() const;
  // Writes /etc/gondolin/listeners anew with these routes and puts them in force, as
  // Ingress::set_routes(). kInvalidArgument where normalize_routes() has it, kFailed while a
  // program in the guest has the file open for writing, kCancelled once the VM was closed.
  void set_ingress_routes(const std::vector<IngressRoute>& routes);

  // Ends the VM at once, and with it the programs that run in it and its gateway; all
  // calls in progress end. Nothing of a VM outlives it, so nothing in it is asked first.
  // May be called again. Destroying a Vm does the same; in a callback it does not wait for
  // the end.
  void close();

 private:
  class Impl;
  explicit Vm(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace gondolin
