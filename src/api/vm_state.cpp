#include "api/vm_state.hpp"

#include <algorithm>
#include <chrono>
#include <stop_token>
#include <thread>
#include <utility>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "api/convert.hpp"
#include "api/mounts.hpp"
#include "api/promise.hpp"
#include "gondolin/image.hpp"
#include "vm/template_store.hpp"

namespace gondolin::api {
namespace {

constexpr std::chrono::seconds kGatewayClose{1};

VmEvent::Kind to_api_kind(vm::VmEvent::Kind kind) {
  switch (kind) {
    case vm::VmEvent::Kind::kEmulation:
      return VmEvent::Kind::kEmulation;
    case vm::VmEvent::Kind::kBootRetry:
      return VmEvent::Kind::kBootRetry;
    case vm::VmEvent::Kind::kDaemonRestarted:
      return VmEvent::Kind::kDaemonRestarted;
    case vm::VmEvent::Kind::kProtocolError:
      return VmEvent::Kind::kProtocolError;
    case vm::VmEvent::Kind::kGuestDied:
      return VmEvent::Kind::kGuestDied;
  }
  return VmEvent::Kind::kProtocolError;
}

vm::AcceleratorChoice to_choice(Accelerator accelerator) {
  switch (accelerator) {
    case Accelerator::kAuto:
      return vm::AcceleratorChoice::kAuto;
    case Accelerator::kKvm:
      return vm::AcceleratorChoice::kKvm;
    case Accelerator::kTcg:
      return vm::AcceleratorChoice::kTcg;
  }
  return vm::AcceleratorChoice::kAuto;
}

VmOptions with_checked_mounts(VmOptions options) {
  options.mounts = checked_mounts(std::move(options.mounts));
  return options;
}

}  // namespace

VmState::VmState(VmOptions options)
    : options_(with_checked_mounts(std::move(options))), log_(make_debug_log(options_.debug)) {
  try {
    std::stop_callback cancelled(options_.cancel, [this] { loop_.stop(); });
    boot();
  } catch (...) {
    stop_loop();
    throw;
  }
  // It may have come too late for boot(), and in time to stop the loop.
  if (!options_.cancel.stop_requested()) return;
  stop_loop();
  throw closed_error();
}

std::shared_ptr<VmState> VmState::create(VmOptions options) {
  return {new VmState(std::move(options)), [](VmState* state) {
            if (!state->on_own_thread()) {
              delete state;
              return;
            }
            // The thread waits for this one to leave what it is in.
            std::thread([state] { delete state; }).detach();
          }};
}

VmState::~VmState() {
  close();
  stop_loop();
}

bool VmState::on_own_thread() const {
  return loop_.here() ||
         std::ranges::any_of(mounts_, [](const auto& mount) { return mount->here(); });
}

void VmState::stop_loop() {
  loop_.stop();
  if (config_) config_->detach();
  for (const auto& mount : mounts_)
    mount->stop();
}

void VmState::check_ingress_possible() const {
  auto covering = covers_config(options_.mounts);
  if (!covering) return;
  throw ApiError(ApiErrorCode::kInvalidArgument,
                 "ingress needs the guest's /etc/gondolin, which the mount at " + *covering +
                     " covers: mount it elsewhere");
}

std::vector<vm::GuestMount> VmState::make_mounts(const asio::any_io_executor& executor) {
  std::vector<vm::GuestMount> list;
  for (const VfsMount& mount : options_.mounts) {
    mounts_.push_back(std::make_shared<ThreadedProvider>(executor, mount, log_));
    const auto access = mount.access == VfsAccess::kReadOnly ? wire::MountAccess::kReadOnly
                                                             : wire::MountAccess::kReadWrite;
    list.push_back({.target = {.path = mount.path, .access = access}, .provider = mounts_.back()});
  }
  return list;
}

void VmState::boot() {
  ImageFiles image = ImageStore(options_.image_store).resolve(options_.image);
  loop_.run([](VmState& self, ImageFiles files) -> Awaitable<void> {
    const VmOptions& wanted = self.options_;
    auto executor = co_await asio::this_coro::executor;
    self.config_ = std::make_shared<GuestConfig>(executor, self.log_);
    vm::VmOptions vm_options{
        .kernel = std::move(files.kernel),
        .initramfs = std::move(files.initramfs),
        .root = std::move(files.root),
        .memory_mib = wanted.memory_mib,
        .cpus = wanted.cpus,
        .accelerator = to_choice(wanted.accelerator),
        .templates = wanted.start_from == StartFrom::kTemplate
                         ? vm::TemplateStore::default_directory()
                         : std::nullopt,
        .config = std::shared_ptr<vfs::Provider>(self.config_, &self.config_->files()),
        .mounts = self.make_mounts(executor),
    };
    auto sink = [&wanted](const vm::VmEvent& event) {
      if (wanted.on_event) wanted.on_event({to_api_kind(event.kind), event.message});
    };
    self.vm_ = value_or_throw(
        co_await vm::Vm::start(executor, std::move(vm_options), std::move(sink), self.log_));
  }(*this, std::move(image)));
}

std::weak_ptr<LoopThread> VmState::weak_loop() {
  auto self = weak_from_this().lock();
  if (!self) return {};
  return std::shared_ptr<LoopThread>(std::move(self), &loop_);
}

void VmState::check_open() const {
  if (*closed_ || !vm_) throw closed_error();
}

vm::Vm& VmState::vm() {
  check_open();
  return *vm_;
}

Awaitable<void> VmState::end() {
  *closed_ = true;
  if (ended_) {
    co_await ended_->async_wait(asio::as_tuple(asio::use_awaitable));
    co_return;
  }
  ended_.emplace(co_await asio::this_coro::executor, asio::steady_timer::time_point::max());
  co_await close_gateway();
  if (vm_) co_await vm_->stop();
  ended_->expires_at(asio::steady_timer::time_point::min());
}

void VmState::close() try {
  if (loop_.here()) {
    spawn(loop_.executor(), [this] { return end(); });
  } else {
    loop_.run(end());
  }
} catch (const ApiError&) {
  // The loop was stopped, and the guest killed with its thread: closed all the same.
}

Awaitable<void> VmState::close_gateway() {
  auto open = std::exchange(gateway, nullptr);
  if (!open) co_return;
  config_->on_routes_change({});
  auto deadline = std::make_shared<asio::steady_timer>(co_await asio::this_coro::executor);
  deadline->expires_after(kGatewayClose);
  open->close([deadline] { deadline->cancel(); });
  co_await deadline->async_wait(asio::as_tuple(asio::use_awaitable));
}

}  // namespace gondolin::api
