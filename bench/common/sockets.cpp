#include "common/sockets.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <strings.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "base/parse_number.hpp"

namespace gondolin::bench {

namespace {

sockaddr_in to_sockaddr(Endpoint endpoint) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(endpoint.address);
  address.sin_port = htons(endpoint.port);
  return address;
}

void require(bool done, const char* what) {
  if (!done) give_up(std::string(what) + ": " + std::strerror(errno));
}

// The value of the field, blanks in front of it left out; data() is null without it.
std::string_view field_value(std::string_view head, std::string_view name) {
  for (std::size_t at = head.find("\r\n"); at != std::string_view::npos;
       at = head.find("\r\n", at + 2)) {
    std::string_view line = head.substr(at + 2);
    line = line.substr(0, line.find("\r\n"));
    if (line.size() <= name.size() || line[name.size()] != ':') continue;
    if (::strncasecmp(line.data(), name.data(), name.size()) != 0) continue;
    line.remove_prefix(name.size() + 1);
    while (line.starts_with(' '))
      line.remove_prefix(1);
    return line;
  }
  return {};
}

}  // namespace

void give_up(const std::string& what) {
  std::fprintf(stderr, "%s\n", what.c_str());
  std::exit(1);
}

Endpoint parse_endpoint(std::string_view text) {
  const std::size_t colon = text.find(':');
  in_addr address{};
  const std::string host(text.substr(0, colon));
  if (colon != std::string_view::npos && ::inet_pton(AF_INET, host.c_str(), &address) == 1) {
    if (auto port = parse_decimal<std::uint16_t>(text.substr(colon + 1))) {
      return {.address = ntohl(address.s_addr), .port = *port};
    }
  }
  give_up("not an address:port: " + std::string(text));
}

UniqueFd listen_on(Endpoint endpoint) {
  UniqueFd fd(::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  require(fd.valid(), "socket");
  const int on = 1;
  ::setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  const sockaddr_in address = to_sockaddr(endpoint);
  require(::bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0,
          "bind");
  require(::listen(fd.get(), SOMAXCONN) == 0, "listen");
  return fd;
}

std::uint16_t bound_port(int socket) {
  sockaddr_in address{};
  socklen_t size = sizeof address;
  require(::getsockname(socket, reinterpret_cast<sockaddr*>(&address), &size) == 0, "getsockname");
  return ntohs(address.sin_port);
}

UniqueFd start_connect(Endpoint endpoint) {
  UniqueFd fd(::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  require(fd.valid(), "socket");
  const int on = 1;
  ::setsockopt(fd.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  const sockaddr_in address = to_sockaddr(endpoint);
  const int result =
      ::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address);
  require(result == 0 || errno == EINPROGRESS, "connect");
  return fd;
}

std::ptrdiff_t receive(int socket, std::span<char> buffer) {
  const ssize_t n = ::recv(socket, buffer.data(), buffer.size(), 0);
  if (n >= 0) return n;
  return errno == EAGAIN || errno == EINTR ? kWouldBlock : kBroken;
}

std::ptrdiff_t send(int socket, std::string_view bytes) {
  const ssize_t n = ::send(socket, bytes.data(), bytes.size(), MSG_NOSIGNAL);
  if (n >= 0) return n;
  return errno == EAGAIN || errno == EINTR ? kWouldBlock : kBroken;
}

Epoll::Epoll() : fd_(::epoll_create1(EPOLL_CLOEXEC)) {
  require(fd_.valid(), "epoll_create1");
}

void Epoll::add(int fd, void* owner) {
  epoll_event event{};
  event.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET;
  event.data.ptr = owner;
  require(::epoll_ctl(fd_.get(), EPOLL_CTL_ADD, fd, &event) == 0, "epoll_ctl");
}

std::span<const epoll_event> Epoll::wait(int timeout_ms) {
  const int n = ::epoll_wait(fd_.get(), events_, static_cast<int>(std::size(events_)), timeout_ms);
  require(n >= 0 || errno == EINTR, "epoll_wait");
  return {events_, static_cast<std::size_t>(n < 0 ? 0 : n)};
}

std::int64_t field_number(std::string_view head, std::string_view name) {
  const auto value = parse_decimal<std::uint32_t>(field_value(head, name));
  return value ? static_cast<std::int64_t>(*value) : -1;
}

bool has_field(std::string_view head, std::string_view name, std::string_view value) {
  const std::string_view found = field_value(head, name);
  return found.size() == value.size() &&
         ::strncasecmp(found.data(), value.data(), value.size()) == 0;
}

}  // namespace gondolin::bench
