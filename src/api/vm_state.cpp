#include "api/vm_state.hpp"

#include <chrono>
#include <stop_token>
#include <utility>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "api/convert.hpp"
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

}  // namespace

VmState::VmState(VmOptions options)
    : options_(std::move(options)), log_(make_debug_log(options_.debug)) {
  std::stop_callback cancelled(options_.cancel, [this] { loop_.stop(); });
  try {
    boot();
  } catch (...) {
    stop_loop();
    throw;
  }
}

VmState::~VmState() {
  close();
  stop_loop();
}

void VmState::stop_loop() {
  loop_.stop();
  if (config_) config_->detach();
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
    };
    auto sink = [&wanted](const vm::VmEvent& event) {
      if (wanted.on_event) wanted.on_event({to_api_kind(event.kind), event.message});
    };
    self.vm_ = value_or_throw(
        co_await vm::Vm::start(executor, std::move(vm_options), std::move(sink), self.log_));
  }(*this, std::move(image)));
}

vm::Vm& VmState::vm() {
  if (closed_ || !vm_) throw ApiError(ApiErrorCode::kCancelled, "the VM was closed");
  return *vm_;
}

void VmState::close() try {
  loop_.run([](VmState& self) -> Awaitable<void> {
    self.closed_ = true;
    if (auto open = std::exchange(self.gateway, nullptr)) co_await close_gateway(std::move(open));
    if (self.vm_) co_await self.vm_->stop();
  }(*this));
} catch (const ApiError&) {
  // The loop was stopped, and the guest killed with its thread: closed all the same.
}

Awaitable<void> close_gateway(std::shared_ptr<ingress::Gateway> gateway) {
  auto deadline = std::make_shared<asio::steady_timer>(co_await asio::this_coro::executor);
  deadline->expires_after(kGatewayClose);
  gateway->close([deadline] { deadline->cancel(); });
  co_await deadline->async_wait(asio::as_tuple(asio::use_awaitable));
}

}  // namespace gondolin::api
