// Which guest to run, and what to say when it does not come up.
#include "vm/vm.hpp"

#include <utility>

#include <fmt/format.h>

#include "vm/find_qemu.hpp"
#include "vm/guest.hpp"
#include "vm/template_store.hpp"
#include "vm/tsc.hpp"

namespace gondolin::vm {

using namespace std::chrono_literals;

namespace {

// Emulation is slow on a busy machine, so its limits are generous. KVM boots in well
// under a second where it works; `auto` has emulation to fall back on.
constexpr BootLimits kTcgLimits{.silence = 30s, .total = 120s};
constexpr BootLimits kKvmLimits{.silence = 15s, .total = 60s};
constexpr BootLimits kKvmTrialLimits{.silence = 5s, .total = 20s};
// A guest from a template answers in a tenth of a second, on a busy machine in a few.
constexpr BootLimits kTemplateLimits{.silence = 10s, .total = 30s};

constexpr unsigned kMinMemoryMib = 128;
constexpr unsigned kMaxMemoryMib = 1024 * 1024;
constexpr unsigned kMaxCpus = 64;

Status check_options(const VmOptions& options) {
  if (options.memory_mib < kMinMemoryMib || options.memory_mib > kMaxMemoryMib) {
    return fail(ErrorCode::kInvalidArgument,
                fmt::format("{} MiB of memory: 128 to 1048576 are possible", options.memory_mib));
  }
  if (options.cpus < 1 || options.cpus > kMaxCpus) {
    return fail(ErrorCode::kInvalidArgument,
                fmt::format("{} CPUs: 1 to 64 are possible", options.cpus));
  }
  for (const auto& file : {options.kernel, options.initramfs, options.root}) {
    std::error_code error;
    if (!std::filesystem::is_regular_file(file, error)) {
      return fail(ErrorCode::kNotFound,
                  fmt::format("the image is damaged: {} is missing", file.string()));
    }
  }
  return {};
}

// The error of a boot with everything that helps to understand it.
Error boot_error(const Error& cause, const Guest& guest, Accelerator accelerator) {
  std::string text = fmt::format("the guest did not start (with {}): {}",
                                 accelerator_name(accelerator), cause.message);
  auto lines = guest.console_tail();
  text += lines.empty() ? "\nIts console stayed silent." : "\nIts console said last:";
  std::size_t first = lines.size() > 15 ? lines.size() - 15 : 0;
  for (std::size_t i = first; i < lines.size(); ++i)
    text += "\n  " + lines[i];
  text += accelerator == Accelerator::kKvm
              ? "\nTry emulation: --accel tcg, or --accel auto, which finds out by itself."
              : "\nTry again; if it stays so, `gondolin image verify` checks the image, and "
                "GONDOLIN_DEBUG=protocol shows the boot step by step.";
  return {cause.code, std::move(text), cause.os_error};
}

// One start of a VM, with all its tries.
class Starter {
 public:
  Starter(boost::asio::any_io_executor executor, VmOptions options, VmEventSink sink, DebugLog log)
      : executor_(std::move(executor)),
        options_(std::move(options)),
        sink_(std::move(sink)),
        log_(std::move(log)) {}

  Awaitable<Result<std::unique_ptr<Guest>>> run() {
    if (auto sound = check_options(options_); !sound) co_return tl::unexpected(sound.error());
    auto qemu = find_qemu();
    if (!qemu) co_return tl::unexpected(qemu.error());
    qemu_ = std::move(*qemu);
    switch (options_.accelerator) {
      case AcceleratorChoice::kTcg:
        co_return co_await run_tcg();
      case AcceleratorChoice::kKvm:
        co_return co_await run_kvm();
      case AcceleratorChoice::kAuto:
        break;
    }
    co_return co_await run_auto();
  }

  [[nodiscard]] Accelerator accelerator() const { return accelerator_; }

 private:
  using Outcome = Result<std::unique_ptr<Guest>>;

  Awaitable<Outcome> run_kvm() {
    if (auto device = check_kvm_device(); !device) {
      co_return fail(ErrorCode::kUnavailable, "KVM cannot be used: " + device.error().message);
    }
    std::optional<Error> cause;
    auto guest = co_await boot(Accelerator::kKvm, kKvmLimits, cause);
    if (!guest) guest.error().code = ErrorCode::kUnavailable;
    co_return guest;
  }

  // The boot hangs now and then in the calibration of an emulated timer, so a guest
  // that gave no sign of life is started once more.
  Awaitable<Outcome> run_tcg() {
    std::optional<Error> cause;
    auto guest = co_await boot(Accelerator::kTcg, kTcgLimits, cause);
    if (guest || !cause || cause->code != ErrorCode::kTimeout) co_return guest;
    sink_({VmEvent::Kind::kBootRetry, "the boot hung and is tried once more"});
    co_return co_await boot(Accelerator::kTcg, kTcgLimits, cause);
  }

  Awaitable<Outcome> run_auto() {
    if (auto device = check_kvm_device(); !device) {
      tell_emulation(device.error().message);
      co_return co_await run_tcg();
    }
    std::string key = verdict_key(qemu_);
    auto file = VerdictCache::default_file();
    auto known = file ? VerdictCache(*file).load(key) : std::nullopt;
    if (known && known->kind == KvmVerdict::Kind::kBroken) {
      tell_emulation(known->reason);
      co_return co_await run_tcg();
    }
    std::optional<Error> cause;
    auto guest = co_await boot(Accelerator::kKvm, known ? kKvmLimits : kKvmTrialLimits, cause);
    if (guest) {
      if (!known) remember(file, key, {KvmVerdict::Kind::kWorks, {}});
      co_return guest;
    }
    std::string reason = cause ? cause->message : guest.error().message;
    tell_emulation(reason);
    auto emulated = co_await run_tcg();
    // A guest that does not boot either way says nothing about KVM.
    if (emulated) remember(file, key, {KvmVerdict::Kind::kBroken, reason});
    co_return emulated;
  }

  [[nodiscard]] MachineOptions machine() const {
    return {.kernel = options_.kernel,
            .initramfs = options_.initramfs,
            .root = options_.root,
            .memory_mib = options_.memory_mib,
            .cpus = options_.cpus,
            .accelerator = accelerator_};
  }

  [[nodiscard]] Result<std::unique_ptr<Guest>> launch(const MachineOptions& machine,
                                                      UniqueFd state) {
    return Guest::launch(executor_,
                         {.qemu = qemu_,
                          .machine = machine,
                          .hostname = options_.hostname,
                          .config = options_.config},
                         std::move(state), sink_, log_);
  }

  void debug(const std::string& line) const {
    if (log_.enabled(DebugTopic::kProtocol)) log_.line(DebugTopic::kProtocol, "vm: " + line);
  }

  // Starts one guest, from a template where that is possible; `cause` is set when it was
  // booted and did not come up.
  Awaitable<Outcome> boot(Accelerator accelerator, BootLimits limits, std::optional<Error>& cause) {
    accelerator_ = accelerator;
    cause.reset();
    if (!options_.templates) co_return co_await boot_cold(machine(), limits, cause);
    TemplateStore store(*options_.templates);
    TemplateKey key = template_key(qemu_, machine(), host_facts(qemu_));
    auto found = store.open(key);
    if (found) {
      auto guest = co_await start_from(std::move(*found));
      if (guest) co_return guest;
      found = tl::unexpected(guest.error());
    }
    if (found.error().code != ErrorCode::kNotFound)
      debug("started without a template: " + found.error().message);
    if (found.error().code == ErrorCode::kUnavailable)
      co_return co_await boot_cold(machine(), limits, cause);
    static_cast<void>(store.remove(key.id));  // it may not be there
    co_return co_await boot_and_capture(store, key, limits, cause);
  }

  Awaitable<Outcome> boot_cold(MachineOptions machine, BootLimits limits,
                               std::optional<Error>& cause) {
    if (accelerator_ == Accelerator::kTcg && !machine.tsc_khz) machine.tsc_khz = host_tsc_khz();
    auto guest = launch(machine, UniqueFd());
    if (!guest) co_return guest;
    auto booted = co_await (*guest)->boot(limits);
    if (booted) co_return std::move(*guest);
    cause = booted.error();
    co_return tl::unexpected(boot_error(booted.error(), **guest, accelerator_));
  }

  Awaitable<Outcome> start_from(Template from) {
    MachineOptions wanted = machine();
    wanted.tsc_khz = from.tsc_khz;
    wanted.memory_file = {from.memory, MemoryFile::Use::kPrivate};
    auto guest = launch(wanted, std::move(from.state));
    if (!guest) co_return guest;
    if (auto resumed = co_await (*guest)->resume(); !resumed)
      co_return tl::unexpected(resumed.error());
    if (auto booted = co_await (*guest)->boot(kTemplateLimits); !booted)
      co_return tl::unexpected(booted.error());
    co_return guest;
  }

  // Boots a guest whose memory is a file, keeps it as a template, and goes on with a
  // copy: the memory file must not change any more.
  Awaitable<Outcome> boot_and_capture(const TemplateStore& store, const TemplateKey& key,
                                      BootLimits limits, std::optional<Error>& cause) {
    MachineOptions wanted = machine();
    if (accelerator_ == Accelerator::kTcg) wanted.tsc_khz = host_tsc_khz();
    auto draft = store.begin(key, wanted);
    if (!draft) {
      debug("no template is made: " + draft.error().message);
      co_return co_await boot_cold(wanted, limits, cause);
    }
    MachineOptions shared = wanted;
    shared.memory_file = {draft->memory(), MemoryFile::Use::kShared};
    auto original = co_await boot_cold(shared, limits, cause);
    if (!original) {
      // QEMU ended: its memory file may have had no room, whatever there was before.
      if (!cause || cause->code != ErrorCode::kIo) co_return original;
      debug("booted again without a template: " + cause->message);
      co_return co_await boot_cold(wanted, limits, cause);
    }
    auto captured = co_await capture(std::move(*original), *draft);
    if (captured) {
      auto guest = co_await start_from(std::move(*captured));
      if (guest) {
        if (auto kept = draft->commit(); !kept) debug("template: " + kept.error().message);
        co_return guest;
      }
      captured = tl::unexpected(guest.error());
    }
    debug("no template works here: " + captured.error().message);
    if (auto noted = draft->give_up(captured.error().message); !noted)
      debug("template: " + noted.error().message);
    co_return co_await boot_cold(wanted, limits, cause);
  }

  // Ends the guest.
  static Awaitable<Result<Template>> capture(std::unique_ptr<Guest> guest,
                                             const TemplateDraft& draft) {
    auto state = draft.create_state();
    if (!state) co_return tl::unexpected(state.error());
    if (auto captured = co_await guest->capture(std::move(*state)); !captured)
      co_return tl::unexpected(captured.error());
    guest.reset();
    co_return draft.open();
  }

  void tell_emulation(const std::string& reason) {
    sink_({VmEvent::Kind::kEmulation,
           "running under emulation, which is slower: KVM does not work here (" + reason + ")"});
  }

  void remember(const std::optional<std::filesystem::path>& file, const std::string& key,
                const KvmVerdict& verdict) {
    if (!file) return;
    // Without the file, the next start just tries again.
    auto stored = VerdictCache(*file).store(key, verdict);
    if (!stored) log_.line(DebugTopic::kProtocol, "vm: " + stored.error().message);
  }

  boost::asio::any_io_executor executor_;
  VmOptions options_;
  VmEventSink sink_;
  DebugLog log_;
  std::filesystem::path qemu_;
  Accelerator accelerator_ = Accelerator::kTcg;
};

}  // namespace

class Vm::Impl {
 public:
  Impl(std::unique_ptr<Guest> guest, Accelerator accelerator)
      : guest_(std::move(guest)), accelerator_(accelerator) {}

  [[nodiscard]] Guest& guest() { return *guest_; }
  [[nodiscard]] Accelerator accelerator() const { return accelerator_; }

 private:
  std::unique_ptr<Guest> guest_;
  Accelerator accelerator_;
};

Awaitable<Result<std::unique_ptr<Vm>>> Vm::start(boost::asio::any_io_executor executor,
                                                 VmOptions options, VmEventSink sink,
                                                 DebugLog log) {
  if (!sink) sink = [](const VmEvent&) {};
  auto mounts = std::move(options.mounts);
  Starter starter(std::move(executor), std::move(options), std::move(sink), std::move(log));
  auto guest = co_await starter.run();
  if (!guest) co_return tl::unexpected(guest.error());
  if (auto mounted = co_await (*guest)->mount(std::move(mounts)); !mounted)
    co_return tl::unexpected(mounted.error());
  auto impl = std::make_unique<Impl>(std::move(*guest), starter.accelerator());
  co_return std::unique_ptr<Vm>(new Vm(std::move(impl)));
}

Vm::Vm(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

Vm::~Vm() = default;

StreamOpener& Vm::opener() {
  return impl_->guest().opener();
}

ControlClient& Vm::control() {
  return impl_->guest().control();
}

Accelerator Vm::accelerator() const {
  return impl_->accelerator();
}

bool Vm::running() const {
  return impl_->guest().running();
}

int Vm::qemu_pid() const {
  return impl_->guest().pid();
}

std::vector<std::string> Vm::console_tail() const {
  return impl_->guest().console_tail();
}

Awaitable<std::string> Vm::wait() {
  co_return co_await impl_->guest().wait();
}

Awaitable<void> Vm::stop() {
  co_await impl_->guest().stop();
}

}  // namespace gondolin::vm
