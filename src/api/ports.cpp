#include "api/ports.hpp"

#include <algorithm>
#include <string>
#include <utility>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <fmt/format.h>

#include "api/stop_on_loop.hpp"
#include "base/debug_log.hpp"
#include "gondolin/error.hpp"

namespace gondolin::api {
namespace {

using Clock = std::chrono::steady_clock;
using Scope = ListeningPort::Scope;

// A look costs the guest a walk through /proc.
constexpr std::chrono::milliseconds kFirstPause{25};
constexpr std::chrono::milliseconds kLongestPause{100};
// As good as for ever, and far from the end of the clock.
constexpr std::chrono::milliseconds kLongestWait = std::chrono::years(10);

Scope scope_of(wire::ListenAddress address) {
  switch (address) {
    case wire::ListenAddress::kLoopback4:
    case wire::ListenAddress::kLoopback6:
      return Scope::kLoopback;
    case wire::ListenAddress::kAny4:
    case wire::ListenAddress::kAny6:
      return Scope::kAny;
    case wire::ListenAddress::kOther4:
    case wire::ListenAddress::kOther6:
      return Scope::kOther;
  }
  return Scope::kOther;
}

bool is_ipv6(wire::ListenAddress address) {
  return address == wire::ListenAddress::kLoopback6 || address == wire::ListenAddress::kAny6 ||
         address == wire::ListenAddress::kOther6;
}

// What a user needs to know when the port never came up.
std::string describe(const PortWait& wanted, const std::vector<ListeningPort>& ports) {
  std::string text =
      fmt::format("nothing listened on port {} within {} ms", wanted.port, wanted.timeout.count());
  std::string others;
  for (const ListeningPort& each : ports) {
    if (each.port == wanted.port) {
      return text + " where ingress reaches it: " + printable(each.process) +
             " listens on another address only";
    }
    others +=
        fmt::format("{}{} ({})", others.empty() ? "" : ", ", each.port, printable(each.process));
  }
  return text + (others.empty() ? "; nothing listens at all" : "; what listens: " + others);
}

}  // namespace

std::vector<ListeningPort> to_listening_ports(const std::vector<wire::ListeningPort>& ports) {
  std::vector<ListeningPort> converted;
  converted.reserve(ports.size());
  for (const wire::ListeningPort& port : ports) {
    converted.push_back({.port = port.port,
                         .scope = scope_of(port.address),
                         .ipv6 = is_ipv6(port.address),
                         .pid = static_cast<int>(port.pid),
                         .process = port.process});
  }
  return converted;
}

Awaitable<ListeningPort> wait_for_port(std::weak_ptr<LoopThread> loop, PortsSource source,
                                       PortWait wanted) {
  if (wanted.port == 0) throw ApiError(ApiErrorCode::kInvalidArgument, "there is no port 0");
  const auto deadline = Clock::now() + std::min(wanted.timeout, kLongestWait);
  auto pause = std::make_shared<asio::steady_timer>(co_await asio::this_coro::executor);
  StopOnLoop stop(wanted.cancel, std::move(loop), [weak = std::weak_ptr(pause)] {
    if (auto there = weak.lock()) there->cancel();
  });
  for (auto length = kFirstPause;; length = std::min(2 * length, kLongestPause)) {
    if (wanted.cancel.stop_requested()) {
      throw ApiError(ApiErrorCode::kCancelled, "waiting for the port was cancelled");
    }
    std::vector<ListeningPort> ports;
    try {
      ports = co_await source();
    } catch (const ApiError& error) {
      // A busy guest that does not answer in time may do so the next time.
      if (error.code() != ApiErrorCode::kTimeout || Clock::now() >= deadline) throw;
    }
    auto found = std::ranges::find_if(ports, [&](const ListeningPort& each) {
      return each.port == wanted.port && each.scope != Scope::kOther;
    });
    if (found != ports.end()) co_return *found;
    if (Clock::now() >= deadline) {
      throw ApiError(ApiErrorCode::kTimeout, describe(wanted, ports));
    }
    pause->expires_at(std::min(Clock::now() + length, deadline));
    co_await pause->async_wait(asio::as_tuple(asio::use_awaitable));
  }
}

}  // namespace gondolin::api
