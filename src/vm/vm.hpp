// A running micro-VM: boots it, watches over it, gives access to its channels and
// ends it.
//
// start() chooses the accelerator, spawns QEMU and returns when programs can run in
// the guest. With a directory for templates it boots a guest once, keeps its memory and
// state there, and continues a copy of it from then on; a boot takes over whenever that
// does not work. From then on the Vm watches QEMU and the channels and tells its event
// sink what happens. stop() and destroying a Vm kill the guest: nothing in it is worth
// saving.
//
// Everything belongs to one event-loop thread, which must live as long as the Vm:
// QEMU is killed by the kernel when the thread that started it ends.
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <boost/asio/any_io_executor.hpp>

#include "base/debug_log.hpp"
#include "base/result.hpp"
#include "io/stream.hpp"
#include "vfs/provider.hpp"
#include "vm/accelerator.hpp"
#include "vm/control_client.hpp"
#include "vm/mounts_channel.hpp"

namespace gondolin::vm {

struct VmEvent {
  enum class Kind : std::uint8_t {
    kEmulation,        // the guest runs under emulation; says why. At most once, from start()
    kBootRetry,        // the first boot hung and is tried again. From start()
    kDaemonRestarted,  // a guest daemon died and came back; its streams were reset
    kProtocolError,    // the guest broke the protocol on a channel, which starts over
    kGuestDied,        // the guest ended by itself: panic, power-off, QEMU killed
  };
  Kind kind;
  std::string message;  // one line, control bytes made visible
};

// A guest can cause kDaemonRestarted and kProtocolError at will: after ten in a row only
// one a second is told, with the number of those that were not.
// Called on the loop's thread; must not destroy or stop the Vm from inside the call.
using VmEventSink = std::function<void(const VmEvent&)>;

struct VmOptions {
  std::filesystem::path kernel;
  std::filesystem::path initramfs;
  std::filesystem::path root;  // image of the root file system, never written
  unsigned memory_mib = 1024;  // 128 to 1,048,576
  unsigned cpus = 2;           // 1 to 64
  AcceleratorChoice accelerator = AcceleratorChoice::kAuto;
  // The directory of templates (see TemplateStore); without one every start is a boot.
  std::optional<std::filesystem::path> templates{};
  std::string hostname = "gondolin";
  // Serves the guest's mount at /etc/gondolin, through restarts of its daemon. Required.
  std::shared_ptr<vfs::Provider> config;
  // Mounted in this order, before start() returns; a path above or below another's after it.
  std::vector<GuestMount> mounts{};
};

class Vm {
 public:
  // Boots a guest; returns when all its daemons are up, its file system mount
  // answers, and its clock, entropy and hostname are set. kInvalidArgument for
  // options out of range, kUnavailable when QEMU or the accelerator asked for is
  // missing (the message says what to install or do), kTimeout or kIo with the
  // console's last lines when the guest does not come up. Returns within some 2 minutes whatever
  // happens, normally in seconds.
  [[nodiscard]] static Awaitable<Result<std::unique_ptr<Vm>>> start(
      boost::asio::any_io_executor executor, VmOptions options, VmEventSink sink, DebugLog log);

  Vm(const Vm&) = delete;
  Vm& operator=(const Vm&) = delete;
  // Kills the guest unless stop() has returned. Operations on streams and
  // processes that are still in progress return kReset.
  ~Vm();

  // Opens streams to TCP ports of the guest's loopback.
  [[nodiscard]] StreamOpener& opener();
  [[nodiscard]] ControlClient& control();
  [[nodiscard]] Accelerator accelerator() const;

  // Whether QEMU still runs, and its process id (0 when it does not).
  [[nodiscard]] bool running() const;
  [[nodiscard]] int qemu_pid() const;

  // The last lines of the guest's console, oldest first, control bytes made visible.
  [[nodiscard]] std::vector<std::string> console_tail() const;

  // Waits until the guest has ended, for whatever reason, and says why in a line.
  // One call at a time.
  [[nodiscard]] Awaitable<std::string> wait();

  // Kills the guest, which takes milliseconds. No event is sent. May be called again.
  [[nodiscard]] Awaitable<void> stop();

 private:
  class Impl;
  explicit Vm(std::unique_ptr<Impl> impl);

  std::unique_ptr<Impl> impl_;
};

}  // namespace gondolin::vm
