// One run of one guest: QEMU, the channels to the daemons inside, and what is known
// of their state. Vm decides which guest to run; this boots it, watches it and ends
// it.
//
// One event-loop thread. Destroying a Guest kills it.
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <boost/asio/any_io_executor.hpp>

#include "base/debug_log.hpp"
#include "base/result.hpp"
#include "io/deadline.hpp"
#include "io/signal.hpp"
#include "vm/control_client.hpp"
#include "vm/event_limit.hpp"
#include "vm/fs_channel.hpp"
#include "vm/guest_opener.hpp"
#include "vm/mounts_channel.hpp"
#include "vm/qemu_process.hpp"
#include "vm/qmp.hpp"
#include "vm/tail_reader.hpp"
#include "vm/vm.hpp"

namespace gondolin::vm {

struct GuestOptions {
  std::filesystem::path qemu;
  MachineOptions machine;
  std::string hostname;
  std::shared_ptr<vfs::Provider> config;
};

// How long a boot may take. The clock of `silence` starts over with every sign of
// life: a byte on the console, a daemon that came up.
struct BootLimits {
  std::chrono::milliseconds silence;
  std::chrono::milliseconds total;
};

class Guest {
 public:
  // Starts QEMU. `sink` hears kDaemonRestarted, kProtocolError and, once the boot has
  // succeeded, kGuestDied.
  // `state` is that of the template whose memory the machine has, invalid without.
  [[nodiscard]] static Result<std::unique_ptr<Guest>> launch(
      const boost::asio::any_io_executor& executor, const GuestOptions& options, UniqueFd state,
      VmEventSink sink, DebugLog log);

  Guest(const Guest&) = delete;
  Guest& operator=(const Guest&) = delete;
  ~Guest();

  // Waits until the guest can be used: its daemons are up, its mount answers, and
  // it has its clock, entropy and name. kTimeout when a limit passes first, kIo when
  // QEMU ended, kProtocol when a daemon broke the protocol. The message is one line.
  [[nodiscard]] Awaitable<Status> boot(const BootLimits& limits);

  // Runs some programs in a guest that has booted, so that what most need lies in its
  // memory, then writes its state, which stops it for good and together with its
  // memory file makes a template. The guest must only be destroyed after that.
  [[nodiscard]] Awaitable<Status> capture(UniqueFd state);

  // Has a guest that was launched from a template go on from there; boot() comes next.
  [[nodiscard]] Awaitable<Status> resume();

  // Mounts these in a guest that has booted; see MountsChannel. No mount without any.
  [[nodiscard]] Awaitable<Status> mount(std::vector<GuestMount> mounts);

  [[nodiscard]] GuestOpener& opener() { return *opener_; }
  [[nodiscard]] ControlClient& control() { return *control_; }
  [[nodiscard]] int pid() const { return qemu_ ? qemu_->pid() : 0; }
  [[nodiscard]] bool running() const { return pid() != 0; }
  [[nodiscard]] std::vector<std::string> console_tail() const { return console_->lines(); }

  // Waits for the guest's end and says how it came about, in a line.
  [[nodiscard]] Awaitable<std::string> wait();
  // Ends the guest at once. Nothing of it outlives it, so nothing needs to be saved.
  [[nodiscard]] Awaitable<void> stop();

 private:
  Guest(const boost::asio::any_io_executor& executor, const GuestOptions& options, VmEventSink sink,
        DebugLog log);

  void connect(const boost::asio::any_io_executor& executor, QemuSockets sockets,
               std::shared_ptr<vfs::Provider> config);
  // A sink for the events of the channel of `daemon`; `is_up` is set when it is there.
  [[nodiscard]] ChannelEventSink channel_sink(std::string daemon, bool Guest::* is_up);
  // Tells what the guest made happen, unless it makes it happen too often.
  void tell_guest_event(VmEvent event);
  void on_exit(ChildExit exit);
  void debug(const std::string& line) const;

  // Whether the boot cannot succeed any more, and why.
  [[nodiscard]] std::optional<Error> boot_failure() const;
  [[nodiscard]] std::uint64_t signs_of_life() const;
  [[nodiscard]] Awaitable<Status> wait_until(bool Guest::* is_up);
  [[nodiscard]] Awaitable<Status> prepare();
  [[nodiscard]] Awaitable<Status> warm_up();
  [[nodiscard]] Awaitable<Status> command(std::string name, nlohmann::json arguments,
                                          UniqueFd file = UniqueFd());
  [[nodiscard]] Awaitable<Status> migration_completed();
  void on_qemu_event(const std::string& name, const nlohmann::json& data);
  [[nodiscard]] Awaitable<bool> ended_within(std::chrono::milliseconds limit);
  [[nodiscard]] std::string describe_end() const;

  std::string hostname_;
  std::string warm_up_script_;
  VmEventSink sink_;
  DebugLog log_;
  EventLimit limit_;
  std::chrono::steady_clock::time_point started_ = std::chrono::steady_clock::now();
  DeadlineQueue deadlines_;

  std::unique_ptr<ChildProcess> qemu_;
  std::unique_ptr<Qmp> qmp_;
  std::unique_ptr<TailReader> console_;
  std::unique_ptr<TailReader> errors_;  // of QEMU
  std::unique_ptr<MuxChannel> control_channel_;
  std::unique_ptr<MuxChannel> ingress_channel_;
  std::unique_ptr<FsChannel> fs_channel_;
  std::unique_ptr<MountsChannel> mounts_channel_;
  std::unique_ptr<ControlClient> control_;
  std::unique_ptr<GuestOpener> opener_;

  bool control_up_ = false;
  bool ingress_up_ = false;
  bool mounts_up_ = false;
  bool mounted_ = false;
  bool booted_ = false;
  bool stopping_ = false;
  std::optional<Error> channel_failure_;
  std::optional<ChildExit> exit_;
  std::string shutdown_reason_;  // as QMP told it: "guest-reset", "host-signal"
  std::optional<Error> boot_timeout_;
  std::string migration_;  // its state as QMP tells it: "active", "completed", "failed"
  unsigned events_ = 0;    // channel events so far

  Signal boot_changed_;  // wakes boot()
  Signal ended_;         // wakes wait()
  Signal stopped_;       // wakes stop()
};

}  // namespace gondolin::vm
