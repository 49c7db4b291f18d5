#include "harness/fake_backend.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

#include <cerrno>
#include <system_error>

namespace gondolin::wiretest {
namespace {

constexpr int kBacklog = 1024;

[[noreturn]] void fail_errno(const std::string& what) {
  throw WireFailure(what + ": " + std::generic_category().message(errno));
}

UniqueFd bound_ipv4(std::uint16_t port) {
  UniqueFd socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (::bind(socket.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) {
    fail_errno("bind 127.0.0.1");
  }
  return socket;
}

UniqueFd bound_ipv6(std::uint16_t port) {
  UniqueFd socket(::socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  sockaddr_in6 address{};
  address.sin6_family = AF_INET6;
  address.sin6_port = htons(port);
  address.sin6_addr = in6addr_loopback;
  if (::bind(socket.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) {
    fail_errno("bind [::1]");
  }
  return socket;
}

// Both families keep the port at the same place.
std::uint16_t port_of(const UniqueFd& socket) {
  sockaddr_in6 address{};
  socklen_t length = sizeof address;
  if (::getsockname(socket.get(), reinterpret_cast<sockaddr*>(&address), &length) != 0) {
    fail_errno("getsockname");
  }
  return ntohs(address.sin6_port);
}

}  // namespace

FakeBackend::FakeBackend(Loopback family)
    : listener_(family == Loopback::kIpv4 ? bound_ipv4(0) : bound_ipv6(0)),
      port_(port_of(listener_)) {
  if (::listen(listener_.get(), kBacklog) != 0) fail_errno("listen");
}

std::optional<Connection> FakeBackend::accept_pending() {
  UniqueFd accepted(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
  if (!accepted.valid()) return std::nullopt;
  return Connection(std::move(accepted));
}

Connection FakeBackend::accept() {
  for (;;) {
    if (auto pending = accept_pending()) return std::move(*pending);
    pollfd waiting{listener_.get(), POLLIN, 0};
    if (::poll(&waiting, 1, static_cast<int>(kPatience.count())) == 0) {
      throw WireFailure("the gateway opened no connection to the backend");
    }
  }
}

ClosedPort::ClosedPort()
    : ipv4_(bound_ipv4(0)), ipv6_(bound_ipv6(port_of(ipv4_))), port_(port_of(ipv4_)) {}

FullPort::FullPort() : listener_(bound_ipv4(0)), port_(port_of(listener_)) {
  if (::listen(listener_.get(), 0) != 0) fail_errno("listen");
  pollfd connected{};
  do {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port_);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    UniqueFd& socket =
        queue_.emplace_back(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (::connect(socket.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) != 0 &&
        errno != EINPROGRESS) {
      fail_errno("connect");
    }
    connected = {socket.get(), POLLOUT, 0};
  } while (::poll(&connected, 1, 100) > 0);
}

}  // namespace gondolin::wiretest
