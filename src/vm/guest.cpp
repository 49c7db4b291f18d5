#include "vm/guest.hpp"

#include <sys/random.h>

#include <array>
#include <utility>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "io/spawn.hpp"

namespace gondolin::vm {

using namespace std::chrono_literals;

namespace {

// A panic is told before the traces of every processor: its line must not be lost.
constexpr std::size_t kConsoleLines = 400;
constexpr std::size_t kErrorLines = 10;
constexpr auto kPrepareDeadline = 20s;
constexpr auto kMigrationLimit = 10s;
constexpr auto kKillLimit = 500ms;

// What most VMs run first, so that its files lie in the memory of every copy, unpacked, and
// the kernel knows in which directories of the path they are not. An image need not have any
// of it. What the kernel still has to do for programs that ended is done in the pause.
constexpr const char* kWarmUp =
    "exec >/dev/null 2>&1; "
    "timeout 20 sh -c 'env true; env cat /dev/null; env ls /; bash -c :; python3 -c \"import "
    "http.server\"'; ";
constexpr const char* kPause = "sleep 0.5";

// An emulated copy begins without translations, which its first program waits for, and while
// the daemons say hello its second processor has nothing to do. There programs are started
// one after another until the copy has an id of its own, so that much of what a start runs is
// translated by then. Twice at once, for each is somewhere else when the template is taken.
constexpr const char* kRehearsal =
    "rehearse() { read id </etc/machine-id; "
    "while read now </etc/machine-id && [ $now = $id ]; do /bin/true || break; done; }; "
    "rehearse & rehearse & ";

std::string warm_up_script(const MachineOptions& machine) {
  const bool rehearse = machine.accelerator == Accelerator::kTcg && machine.cpus > 1;
  return std::string(kWarmUp) + (rehearse ? kRehearsal : "") + kPause;
}

Result<ByteBuffer> fresh_entropy() {
  ByteBuffer bytes(64);
  ssize_t count = 0;
  do {
    count = ::getrandom(bytes.data(), bytes.size(), 0);
  } while (count < 0 && errno == EINTR);
  if (count != static_cast<ssize_t>(bytes.size())) return fail_errno("getrandom", errno);
  return bytes;
}

std::string random_machine_id(Bytes entropy) {
  std::string id;
  for (std::byte byte : entropy)
    id += fmt::format("{:02x}", static_cast<unsigned>(byte));
  return id;
}

}  // namespace

Guest::Guest(const boost::asio::any_io_executor& executor, const GuestOptions& options,
             VmEventSink sink, DebugLog log)
    : hostname_(options.hostname),
      warm_up_script_(warm_up_script(options.machine)),
      sink_(std::move(sink)),
      log_(std::move(log)),
      deadlines_(executor),
      boot_changed_(executor),
      ended_(executor),
      stopped_(executor) {}

Guest::~Guest() = default;

Result<std::unique_ptr<Guest>> Guest::launch(const boost::asio::any_io_executor& executor,
                                             const GuestOptions& options, UniqueFd state,
                                             VmEventSink sink, DebugLog log) {
  std::unique_ptr<Guest> guest(new Guest(executor, options, std::move(sink), std::move(log)));
  auto qemu = start_qemu(executor, options.qemu, options.machine, std::move(state),
                         [self = guest.get()](ChildExit exit) { self->on_exit(exit); });
  if (!qemu) return tl::unexpected(qemu.error());
  guest->qemu_ = std::move(qemu->process);
  guest->connect(executor, std::move(qemu->sockets), options.config);
  guest->debug(fmt::format("started QEMU, process {}, with {}", guest->pid(),
                           accelerator_name(options.machine.accelerator)));
  return guest;
}

void Guest::connect(const boost::asio::any_io_executor& executor, QemuSockets sockets,
                    std::shared_ptr<vfs::Provider> config) {
  console_ = std::make_unique<TailReader>(executor, std::move(sockets.console), kConsoleLines);
  errors_ = std::make_unique<TailReader>(executor, std::move(sockets.error_output), kErrorLines);
  qmp_ = std::make_unique<Qmp>(
      executor, std::move(sockets.qmp),
      [this](const std::string& name, const nlohmann::json& data) { on_qemu_event(name, data); });
  control_channel_ = std::make_unique<MuxChannel>(executor, std::move(sockets.control), "sandboxd",
                                                  channel_sink("sandboxd", &Guest::control_up_));
  ingress_channel_ =
      std::make_unique<MuxChannel>(executor, std::move(sockets.ingress), "sandboxingress",
                                   channel_sink("sandboxingress", &Guest::ingress_up_));
  fs_channel_ = std::make_unique<FsChannel>(executor, std::move(sockets.fs), std::move(config),
                                            log_, channel_sink("sandboxfs", &Guest::mounted_));
  mounts_channel_ = std::make_unique<MountsChannel>(
      executor, std::move(sockets.mounts), log_, channel_sink("sandboxmounts", &Guest::mounts_up_));
  control_ = std::make_unique<ControlClient>(*control_channel_);
  opener_ = std::make_unique<GuestOpener>(*ingress_channel_);
}

void Guest::on_qemu_event(const std::string& name, const nlohmann::json& data) {
  auto text = [&](const char* member) -> std::string {
    auto found = data.is_object() ? data.find(member) : data.end();
    return found != data.end() && found->is_string() ? found->get<std::string>() : "";
  };
  debug("QEMU event " + name + " " + text("status") + text("reason"));
  if (name == "SHUTDOWN") shutdown_reason_ = text("reason");
  if (name == "MIGRATION") {
    migration_ = text("status");
    boot_changed_.notify();
  }
}

ChannelEventSink Guest::channel_sink(std::string daemon, bool Guest::* is_up) {
  // The fs port is of use only once its mount is.
  auto sign = is_up == &Guest::mounted_ ? ChannelEvent::Kind::kMounted : ChannelEvent::Kind::kUp;
  return [this, daemon = std::move(daemon), is_up, sign](const ChannelEvent& event) {
    ++events_;
    if (event.kind == sign) this->*is_up = true;
    switch (event.kind) {
      case ChannelEvent::Kind::kUp:
        debug(daemon + " is up");
        break;
      case ChannelEvent::Kind::kMounted:
        debug(daemon + " has its mount");
        break;
      case ChannelEvent::Kind::kRestarted:
        tell_guest_event({VmEvent::Kind::kDaemonRestarted, daemon + " restarted in the guest"});
        break;
      case ChannelEvent::Kind::kFailed: {
        std::string what = daemon + " broke the protocol: " + printable(event.message);
        if (!booted_ && !channel_failure_) channel_failure_ = Error{ErrorCode::kProtocol, what, 0};
        tell_guest_event({VmEvent::Kind::kProtocolError, what});
        break;
      }
      case ChannelEvent::Kind::kExhausted:
        tell_guest_event(
            {VmEvent::Kind::kDaemonRestarted,
             "out of memory: everything that goes through " + daemon + " was cut off"});
        break;
    }
    boot_changed_.notify();
  };
}

void Guest::tell_guest_event(VmEvent event) {
  auto withheld = limit_.admit(std::chrono::steady_clock::now());
  if (!withheld) return;
  if (*withheld > 0) event.message += fmt::format(" ({} more were not told)", *withheld);
  sink_(event);
}

void Guest::debug(const std::string& line) const {
  if (!log_.enabled(DebugTopic::kProtocol)) return;
  auto elapsed = std::chrono::duration_cast<std::chrono::milliseconds>(
      std::chrono::steady_clock::now() - started_);
  log_.line(DebugTopic::kProtocol, fmt::format("vm: {} ms: {}", elapsed.count(), line));
}

// --- boot ------------------------------------------------------------------------

std::optional<Error> Guest::boot_failure() const {
  if (exit_) return Error{ErrorCode::kIo, describe_end(), 0};
  if (channel_failure_) return channel_failure_;
  return boot_timeout_;
}

std::uint64_t Guest::signs_of_life() const {
  return events_ + console_->bytes_read();
}

Awaitable<Status> Guest::boot(const BootLimits& limits) {
  auto give_up = [this](std::chrono::milliseconds limit) {
    boot_timeout_ = Error{ErrorCode::kTimeout,
                          fmt::format("the guest gave no sign of being ready within {} s",
                                      std::chrono::duration<double>(limit).count()),
                          0};
    boot_changed_.notify();
  };
  Deadline total(deadlines_, [&] { give_up(limits.total); });
  std::uint64_t seen = 0;
  std::function<void()> check_silence;
  Deadline silence(deadlines_, [&] { check_silence(); });
  check_silence = [&] {
    if (std::exchange(seen, signs_of_life()) == signs_of_life()) return give_up(limits.silence);
    silence.arm(limits.silence);
  };
  total.arm(limits.total);
  silence.arm(limits.silence);

  if (auto up = co_await wait_until(&Guest::control_up_); !up) co_return up;
  if (auto prepared = co_await prepare(); !prepared) co_return prepared;
  if (auto up = co_await wait_until(&Guest::mounted_); !up) co_return up;
  if (auto up = co_await wait_until(&Guest::ingress_up_); !up) co_return up;
  if (auto up = co_await wait_until(&Guest::mounts_up_); !up) co_return up;
  booted_ = true;
  debug("ready");
  co_return Status{};
}

Awaitable<Status> Guest::wait_until(bool Guest::* is_up) {
  while (!(this->*is_up)) {
    if (auto failure = boot_failure()) co_return tl::unexpected(*failure);
    co_await boot_changed_.wait();
  }
  co_return Status{};
}

Awaitable<Status> Guest::mount(std::vector<GuestMount> mounts) {
  if (mounts.empty()) co_return Status{};
  auto mounted = co_await mounts_channel_->mount(std::move(mounts));
  if (mounted) debug("has what was to be mounted");
  co_return mounted;
}

Awaitable<Status> Guest::prepare() {
  auto entropy = fresh_entropy();
  auto identity = fresh_entropy();
  if (!entropy) co_return tl::unexpected(entropy.error());
  if (!identity) co_return tl::unexpected(identity.error());
  auto now = std::chrono::system_clock::now().time_since_epoch();
  wire::PrepareTarget target{
      .wall_clock_ns = static_cast<std::uint64_t>(
          std::chrono::duration_cast<std::chrono::nanoseconds>(now).count()),
      .entropy = std::move(*entropy),
      .hostname = hostname_,
      .machine_id = random_machine_id(Bytes(*identity).first(16)),
  };
  auto prepared = co_await control_->prepare(target, kPrepareDeadline);
  if (!prepared) {
    if (auto failure = boot_failure()) co_return tl::unexpected(*failure);
    co_return fail(
        prepared.error().code,
        "sandboxd could not set the guest's clock, entropy and name: " + prepared.error().message);
  }
  debug("the guest has its clock, entropy and name");
  co_return prepared;
}

// --- templates -----------------------------------------------------------------------

Awaitable<Status> Guest::command(std::string name, nlohmann::json arguments, UniqueFd file) {
  auto answer = co_await qmp_->execute(std::move(name), std::move(arguments), std::move(file),
                                       kMigrationLimit);
  if (answer) co_return Status{};
  if (auto failure = boot_failure()) co_return tl::unexpected(*failure);
  co_return tl::unexpected(answer.error());
}

namespace {

// The memory is in a file already and is not to be copied; events tell how it goes.
nlohmann::json migration_capabilities() {
  auto on = [](const char* name) { return nlohmann::json{{"capability", name}, {"state", true}}; };
  return {{"capabilities", {on("x-ignore-shared"), on("events")}}};
}

}  // namespace

Awaitable<Status> Guest::migration_completed() {
  bool expired = false;
  Deadline limit(deadlines_, [&] {
    expired = true;
    boot_changed_.notify();
  });
  limit.arm(kMigrationLimit);
  while (migration_ != "completed") {
    if (auto failure = boot_failure()) co_return tl::unexpected(*failure);
    if (migration_ == "failed")
      co_return fail(ErrorCode::kIo, "QEMU could not carry the guest's state over");
    if (expired)
      co_return fail(ErrorCode::kTimeout, "QEMU did not carry the guest's state over in time");
    co_await boot_changed_.wait();
  }
  co_return Status{};
}

Awaitable<Status> Guest::warm_up() {
  auto program = co_await control_->exec({.argv = {"sh", "-c", warm_up_script_}});
  if (!program) co_return tl::unexpected(program.error());
  auto ended = co_await (*program)->wait();
  if (!ended) co_return tl::unexpected(ended.error());
  co_return Status{};
}

Awaitable<Status> Guest::capture(UniqueFd state) {
  if (auto warm = co_await warm_up(); !warm) co_return warm;
  // It is not stopped before: a guest that ran when its state was taken runs by itself
  // when it is restored.
  stopping_ = true;
  if (auto done = co_await command("migrate-set-capabilities", migration_capabilities()); !done)
    co_return done;
  if (auto done = co_await command("getfd", {{"fdname", "state"}}, std::move(state)); !done)
    co_return done;
  if (auto done = co_await command("migrate", {{"uri", "fd:state"}}); !done) co_return done;
  auto completed = co_await migration_completed();
  if (completed) debug("its state is taken");
  co_return completed;
}

Awaitable<Status> Guest::resume() {
  // Both at once: without the capabilities, the second fails for lack of the memory.
  qmp_->post("migrate-set-capabilities", migration_capabilities());
  auto uri = fmt::format("fd:{}", QemuFds::kState);
  if (auto done = co_await command("migrate-incoming", {{"uri", uri}}); !done) co_return done;
  auto restored = co_await migration_completed();
  if (restored) debug("goes on from its template");
  co_return restored;
}

// --- the end -----------------------------------------------------------------------

void Guest::on_exit(ChildExit exit) {
  exit_ = exit;
  console_->catch_up();
  errors_->catch_up();
  debug("QEMU " + exit.describe());
  // Streams must not wait for the sockets' ends to be noticed.
  control_channel_->close();
  ingress_channel_->close();
  fs_channel_->close();
  mounts_channel_->close();
  if (booted_ && !stopping_) sink_({VmEvent::Kind::kGuestDied, describe_end()});
  boot_changed_.notify();
  ended_.notify();
  stopped_.notify();
}

std::string Guest::describe_end() const {
  for (const std::string& line : console_->lines()) {
    std::size_t at = line.find("Kernel panic");
    if (at != std::string::npos) return "the guest's kernel panicked: " + line.substr(at);
  }
  if (exit_->signal == 0 && exit_->code == 0) {
    if (shutdown_reason_.starts_with("guest-")) return "the guest powered off";
    return "QEMU ended";
  }
  std::string why = "QEMU " + exit_->describe();
  auto errors = errors_->lines();
  if (!errors.empty()) why += ": " + errors.back();
  return why;
}

Awaitable<std::string> Guest::wait() {
  while (!exit_)
    co_await ended_.wait();
  co_return describe_end();
}

Awaitable<bool> Guest::ended_within(std::chrono::milliseconds limit) {
  bool expired = false;
  Deadline deadline(deadlines_, [&] {
    expired = true;
    stopped_.notify();
  });
  deadline.arm(limit);
  while (!exit_ && !expired)
    co_await stopped_.wait();
  co_return exit_.has_value();
}

Awaitable<void> Guest::stop() {
  stopping_ = true;
  if (exit_) co_return;
  qemu_->kill();
  co_await ended_within(kKillLimit);
}

}  // namespace gondolin::vm
