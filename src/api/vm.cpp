// Vm: the public face of a VmState.

#include "gondolin/vm.hpp"

#include <cstdint>
#include <utility>

#include "api/convert.hpp"
#include "api/hooks.hpp"
#include "api/ingress_impl.hpp"
#include "api/process_impl.hpp"
#include "api/vm_state.hpp"

namespace gondolin {
namespace {

using api::value_or_throw;
using api::VmState;

wire::Spawn to_spawn(const ExecOptions& options) {
  wire::Spawn spawn;
  spawn.argv = options.argv;
  spawn.cwd = options.cwd;
  for (const auto& [name, value] : options.env)
    spawn.environment.push_back(name + "=" + value);
  if (options.terminal) {
    spawn.terminal = {.rows = options.terminal->rows, .columns = options.terminal->columns};
  }
  return spawn;
}

// The ports that listen in the guest, for the gateway's error pages.
Awaitable<std::vector<std::uint16_t>> guest_ports(VmState& state) {
  std::vector<std::uint16_t> ports;
  auto listening = co_await state.vm().control().listening_ports();
  if (!listening) co_return ports;
  for (const wire::ListeningPort& entry : *listening) {
    if (ports.empty() || ports.back() != entry.port) ports.push_back(entry.port);
  }
  co_return ports;
}

// The gateway of a VM.
class VmIngress final : public Ingress::Impl {
 public:
  VmIngress(std::shared_ptr<VmState> state, const IngressHooks& hooks)
      : Ingress::Impl(hooks), state_(std::move(state)) {}
  ~VmIngress() override { close(); }

  void open(const IngressOptions& options) {
    state_->loop().run([](VmIngress& self, ingress::GatewayConfig config,
                          ingress::Hooks hooks) -> Awaitable<void> {
      VmState& state = *self.state_;
      if (state.gateway) {
        throw ApiError(ApiErrorCode::kInvalidArgument, "the VM's ingress is enabled already");
      }
      auto gateway = std::make_shared<ingress::Gateway>(
          std::move(config),
          ingress::GatewayParts{.executor = co_await asio::this_coro::executor,
                                .opener = state.vm().opener(),
                                .routes = state.config().routes(),
                                .log = state.log(),
                                .listening_ports = [&state] { return guest_ports(state); },
                                .hooks = std::move(hooks)});
      value_or_throw(gateway->start());
      self.bound = {.host = gateway->host(), .port = gateway->port()};
      self.gateway_ = gateway;
      state.gateway = std::move(gateway);
    }(*this, to_gateway_config(options), api::to_gateway_hooks(options.hooks, hook_threads)));
  }

  std::vector<IngressRoute> routes() const override {
    return state_->loop().run([](VmState& state) -> Awaitable<std::vector<IngressRoute>> {
      co_return from_routes(state.config().routes().router()->routes());
    }(*state_));
  }

  void set_routes(const std::vector<IngressRoute>& routes) override {
    value_or_throw(state_->loop().run(
        [](VmState& state, std::vector<ingress::Route> wanted) -> Awaitable<Status> {
          co_return state.config().set_routes(wanted);
        }(*state_, to_routes(routes))));
  }

  void close() override try {
    state_->loop().run([](VmIngress& self) -> Awaitable<void> {
      auto mine = self.gateway_.lock();
      if (!mine || mine != self.state_->gateway) co_return;
      co_await api::close_gateway(std::exchange(self.state_->gateway, nullptr));
    }(*this));
  } catch (const ApiError&) {
    // The VM is closed, and its gateway with it.
  }

 private:
  std::shared_ptr<VmState> state_;
  std::weak_ptr<ingress::Gateway> gateway_;
};

}  // namespace

class Vm::Impl {
 public:
  explicit Impl(VmOptions options) : state(std::make_shared<VmState>(std::move(options))) {}
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;
  ~Impl() { state->close(); }

  std::shared_ptr<VmState> state;
};

Vm::Vm(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Vm::Vm(Vm&&) noexcept = default;
Vm& Vm::operator=(Vm&&) noexcept = default;
Vm::~Vm() = default;

Vm Vm::create(VmOptions options) {
  return Vm(std::make_unique<Impl>(std::move(options)));
}

Process Vm::exec(const ExecOptions& options) {
  auto process = impl_->state->loop().run(
      [](VmState& state, wire::Spawn spawn) -> Awaitable<std::unique_ptr<vm::GuestProcess>> {
        co_return value_or_throw(co_await state.vm().control().exec(spawn));
      }(*impl_->state, to_spawn(options)));
  return Process(std::make_unique<Process::Impl>(impl_->state, std::move(process)));
}

Ingress Vm::enable_ingress(const IngressOptions& options) {
  auto ingress = std::make_unique<VmIngress>(impl_->state, options.hooks);
  ingress->open(options);
  return Ingress(std::move(ingress));
}

void Vm::close() {
  impl_->state->close();
}

}  // namespace gondolin
