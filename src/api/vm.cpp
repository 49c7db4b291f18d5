// Vm: the public face of a VmState.

#include "gondolin/vm.hpp"

#include <cstdint>
#include <utility>

#include "api/convert.hpp"
#include "api/fs_impl.hpp"
#include "api/hooks.hpp"
#include "api/ingress_impl.hpp"
#include "api/ports.hpp"
#include "api/process_impl.hpp"
#include "api/promise.hpp"
#include "api/routes_teller.hpp"
#include "api/run.hpp"
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

// What `work` comes to; once the VM is closed, every failure is that.
template <typename T>
Awaitable<T> unless_closed(VmState& state, Awaitable<T> work) {
  try {
    co_return co_await std::move(work);
  } catch (const ApiError&) {
    if (*state.closed()) throw api::closed_error();
    throw;
  }
}

Awaitable<RunResult> run_in(VmState& state, wire::Spawn program, RunOptions options) {
  co_return co_await api::run_program(
      {.loop = state.weak_loop(), .closed = state.closed(), .client = state.vm().control()},
      std::move(program), std::move(options));
}

Awaitable<std::vector<ListeningPort>> ports_of(VmState& state) {
  co_return api::to_listening_ports(
      value_or_throw(co_await state.vm().control().listening_ports()));
}

Awaitable<ListeningPort> wait_in(VmState& state, api::PortWait wanted) {
  co_return co_await api::wait_for_port(
      state.weak_loop(), [&state] { return ports_of(state); }, std::move(wanted));
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

// The routes of a VM. `check_open` is called on the loop, and throws where it is closed.
template <typename Check>
std::vector<IngressRoute> routes_of(VmState& state, Check check_open) {
  return state.loop().run(
      [](VmState& on_loop, Check check) -> Awaitable<std::vector<IngressRoute>> {
        check();
        co_return from_routes(on_loop.config().routes().router()->routes());
      }(state, std::move(check_open)));
}

template <typename Check>
void set_routes_of(VmState& state, const std::vector<IngressRoute>& routes, Check check_open) {
  value_or_throw(state.loop().run(
      [](VmState& on_loop, std::vector<ingress::Route> wanted, Check check) -> Awaitable<Status> {
        check();
        co_return on_loop.config().set_routes(wanted);
      }(state, to_routes(routes), std::move(check_open))));
}

Awaitable<void> close_in(VmState& state, std::weak_ptr<ingress::Gateway> gateway) {
  auto mine = gateway.lock();
  if (!mine || mine != state.gateway) co_return;
  co_await state.close_gateway();
}

// The gateway of a VM.
class VmIngress final : public Ingress::Impl {
 public:
  VmIngress(std::shared_ptr<VmState> state, const IngressHooks& hooks)
      : Ingress::Impl(hooks), state_(std::move(state)) {}
  ~VmIngress() override { close(); }

  void open(const IngressOptions& options) {
    state_->loop().run(
        [](VmIngress& self, ingress::GatewayConfig config, ingress::Hooks hooks,
           std::shared_ptr<api::RoutesTeller> teller)
            -> Awaitable<void> {
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
          teller->tell();
          state.config().on_routes_change([teller] { teller->tell(); });
        }(*this, to_gateway_config(options), api::to_gateway_hooks(options.hooks, hook_threads),
            std::make_shared<api::RoutesTeller>(state_->config().routes(), options.on_routes)));
  }

  std::vector<IngressRoute> routes() const override {
    return routes_of(*state_, [this] { check_open(); });
  }
  void set_routes(const std::vector<IngressRoute>& routes) override {
    set_routes_of(*state_, routes, [this] { check_open(); });
  }

  void close() override try {
    auto work = [&state = *state_, gateway = gateway_] { return close_in(state, gateway); };
    if (state_->loop().here()) {
      spawn(state_->loop().executor(), std::move(work));
    } else {
      state_->loop().run(work());
    }
  } catch (const ApiError&) {
    // The VM is closed, and its gateway with it.
  }

 private:
  // On the loop. Throws kCancelled when this gateway, or the VM, was closed.
  void check_open() const {
    auto mine = gateway_.lock();
    if (!mine || mine != state_->gateway) throw api::closed_error();
  }

  std::shared_ptr<VmState> state_;
  std::weak_ptr<ingress::Gateway> gateway_;
};

}  // namespace

class Vm::Impl {
 public:
  explicit Impl(VmOptions options) : state(VmState::create(std::move(options))) {}
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;
  ~Impl() { state->close(); }

  // --- the work of a call, for the loop ---
  [[nodiscard]] auto exec(const ExecOptions& options) const {
    return [&state = *state, spawn = to_spawn(options)] {
      return unless_closed(state, start(state, spawn));
    };
  }
  [[nodiscard]] auto run(const ExecOptions& program, RunOptions options) const {
    return [&state = *state, spawn = to_spawn(program), options = std::move(options)] {
      return unless_closed(state, run_in(state, spawn, options));
    };
  }
  [[nodiscard]] auto listening_ports() const {
    return [&state = *state] { return unless_closed(state, ports_of(state)); };
  }
  [[nodiscard]] auto wait_for_port(api::PortWait wanted) const {
    return [&state = *state, wanted = std::move(wanted)] {
      return unless_closed(state, wait_in(state, wanted));
    };
  }

  const std::shared_ptr<VmState> state;

 private:
  static Awaitable<Process> start(VmState& state, wire::Spawn spawn) {
    auto started = value_or_throw(co_await state.vm().control().exec(spawn));
    auto process = std::make_shared<api::SharedProcess>(co_await asio::this_coro::executor,
                                                        state.closed(), std::move(started));
    auto loop = state.weak_loop().lock();
    if (!loop) throw api::closed_error();
    co_return Process(std::make_unique<Process::Impl>(std::move(loop), std::move(process)));
  }
};

Vm::Vm(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Vm::Vm(Vm&&) noexcept = default;
Vm& Vm::operator=(Vm&&) noexcept = default;
Vm::~Vm() = default;

Vm Vm::create(VmOptions options) {
  return Vm(std::make_unique<Impl>(std::move(options)));
}

Process Vm::exec(const ExecOptions& options) {
  return impl_->state->loop().run(impl_->exec(options)());
}

void Vm::async_exec(const ExecOptions& options, Completion<Process> done) {
  api::run_async(impl_->state->loop(), impl_->exec(options), std::move(done));
}

RunResult Vm::run(const ExecOptions& program, const RunOptions& options) {
  return impl_->state->loop().run(impl_->run(program, options)());
}

void Vm::async_run(const ExecOptions& program, RunOptions options, Completion<RunResult> done) {
  api::run_async(impl_->state->loop(), impl_->run(program, std::move(options)), std::move(done));
}

std::vector<ListeningPort> Vm::listening_ports() {
  return impl_->state->loop().run(impl_->listening_ports()());
}

void Vm::async_listening_ports(Completion<std::vector<ListeningPort>> done) {
  api::run_async(impl_->state->loop(), impl_->listening_ports(), std::move(done));
}

ListeningPort Vm::wait_for_port(std::uint16_t port, std::chrono::milliseconds timeout,
                                const std::stop_token& cancel) {
  return impl_->state->loop().run(impl_->wait_for_port({port, timeout, cancel})());
}

void Vm::async_wait_for_port(std::uint16_t port, std::chrono::milliseconds timeout,
                             std::stop_token cancel, Completion<ListeningPort> done) {
  api::run_async(impl_->state->loop(), impl_->wait_for_port({port, timeout, std::move(cancel)}),
                 std::move(done));
}

GuestFs Vm::fs() {
  return GuestFs(std::make_shared<GuestFs::Impl>(impl_->state));
}

Ingress Vm::enable_ingress(const IngressOptions& options) {
  impl_->state->check_ingress_possible();
  auto ingress = std::make_unique<VmIngress>(impl_->state, options.hooks);
  ingress->open(options);
  return Ingress(std::move(ingress));
}

std::vector<IngressRoute> Vm::ingress_routes() const {
  return routes_of(*impl_->state, [&state = *impl_->state] { state.check_open(); });
}

void Vm::set_ingress_routes(const std::vector<IngressRoute>& routes) {
  set_routes_of(*impl_->state, routes, [&state = *impl_->state] { state.check_open(); });
}

void Vm::close() {
  impl_->state->close();
}

}  // namespace gondolin
