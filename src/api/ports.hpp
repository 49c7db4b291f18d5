// Which TCP ports listen in the guest, as the public API tells it, and waiting for one.
// On the loop.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <stop_token>
#include <vector>

#include "api/loop_thread.hpp"
#include "gondolin/vm.hpp"
#include "wire/control.hpp"

namespace gondolin::api {

// Asks the guest. Throws ApiError.
using PortsSource = std::function<Awaitable<std::vector<ListeningPort>>()>;

[[nodiscard]] std::vector<ListeningPort> to_listening_ports(
    const std::vector<wire::ListeningPort>& ports);

struct PortWait {
  std::uint16_t port = 0;
  std::chrono::milliseconds timeout{};
  std::stop_token cancel{};
};

// Throws as Vm::wait_for_port() says; what `source` throws, too. `loop` is the one it runs on.
[[nodiscard]] Awaitable<ListeningPort> wait_for_port(std::weak_ptr<LoopThread> loop,
                                                     PortsSource source, PortWait wanted);

}  // namespace gondolin::api
