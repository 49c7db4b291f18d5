#include "guest/sandboxingress/connection.hpp"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include <array>
#include <cerrno>

#include "base/check.hpp"

namespace gondolin::guest {
namespace {

constexpr std::uint32_t kInputEvents = EPOLLIN | EPOLLRDHUP | EPOLLET;

union LoopbackAddress {
  sockaddr any;
  sockaddr_in v4;
  sockaddr_in6 v6;
};

LoopbackAddress loopback(int family, std::uint16_t port) {
  LoopbackAddress address{};
  if (family == AF_INET) {
    address.v4 = {.sin_family = AF_INET,
                  .sin_port = htons(port),
                  .sin_addr = {htonl(INADDR_LOOPBACK)},
                  .sin_zero = {}};
  } else {
    address.v6.sin6_family = AF_INET6;
    address.v6.sin6_port = htons(port);
    address.v6.sin6_addr = in6addr_loopback;
  }
  return address;
}

// connect(2), once more on a socket that is connecting: 0 when it stands, EALREADY
// when the outcome is open, else why it failed.
int connect_to(int socket, int family, std::uint16_t port) {
  LoopbackAddress address = loopback(family, port);
  socklen_t size = family == AF_INET ? sizeof address.v4 : sizeof address.v6;
  if (::connect(socket, &address.any, size) == 0 || errno == EISCONN) return 0;
  return errno;
}

// As much of `pieces` as the socket takes; -1 and errno when that is nothing.
ssize_t send_to(int socket, const wire::Pieces& pieces) {
  std::array<iovec, wire::Pieces::kMost> parts;
  std::size_t count = 0;
  for (Bytes piece : pieces.all())
    parts[count++] = {const_cast<std::byte*>(piece.data()), piece.size()};
  msghdr message{};
  message.msg_iov = parts.data();
  message.msg_iovlen = count;
  return ::sendmsg(socket, &message, MSG_NOSIGNAL);
}

bool is_lack_of_ipv6(int os_error) {
  return os_error == EAFNOSUPPORT || os_error == EADDRNOTAVAIL || os_error == ENETUNREACH;
}

}  // namespace

Connection::Connection(wire::Mux& mux, Epoll& epoll, wire::StreamId stream, std::uint16_t port)
    : mux_(mux), epoll_(epoll), stream_(stream), port_(port), family_(AF_INET) {}

Connection::State Connection::connect() {
  int os_error = begin_attempt();
  return os_error == 0 ? check_attempt() : attempt_failed(os_error);
}

int Connection::begin_attempt() {
  socket_.reset(::socket(family_, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!socket_.valid()) return errno;
  readable_ = hung_up_ = false;
  watched_events_ = 0;
  int outcome = connect_to(socket_.get(), family_, port_);
  return outcome == EINPROGRESS ? 0 : outcome;
}

int Connection::watch(std::uint32_t events) {
  if (events == watched_events_) return 0;
  auto tag = static_cast<std::uint32_t>(stream_);
  auto done = watched_events_ == 0 ? epoll_.add(socket_.get(), events, tag)
                                   : epoll_.modify(socket_.get(), events, tag);
  watched_events_ = events;
  return done ? 0 : done.error().os_error;
}

// Over loopback the handshake is done by the time connect() says that it is in
// progress, so asking again right away mostly saves waiting for epoll to tell.
Connection::State Connection::check_attempt() {
  int outcome = connect_to(socket_.get(), family_, port_);
  if (outcome == 0) outcome = watch(kInputEvents);
  if (outcome == 0) return established();
  if (outcome == EALREADY || outcome == EINPROGRESS) outcome = watch(kInputEvents | EPOLLOUT);
  return outcome == 0 ? state_ : attempt_failed(outcome);
}

Connection::State Connection::attempt_failed(int os_error) {
  if (family_ == AF_INET && os_error == ECONNREFUSED) {
    family_ = AF_INET6;
    return connect();
  }
  // Only a refusal leads to IPv6, so without IPv6 that is the answer.
  if (is_lack_of_ipv6(os_error)) os_error = ECONNREFUSED;
  mux_.refuse(stream_, static_cast<std::uint32_t>(os_error));
  return state_ = State::kGone;
}

Connection::State Connection::established() {
  state_ = State::kConnected;
  mux_.accept(stream_);
  return pump();
}

Connection::State Connection::on_descriptor_event(std::uint32_t events) {
  if (events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR)) readable_ = true;
  if (events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) hung_up_ = true;
  if (events & (EPOLLOUT | EPOLLHUP | EPOLLERR)) writable_ = true;
  return state_ == State::kConnecting ? check_attempt() : pump();
}

Connection::State Connection::on_stream_event(const wire::MuxEvent& event) {
  switch (event.kind) {
    case wire::MuxEvent::Kind::kReadable:
    case wire::MuxEvent::Kind::kEnd:
      return on_stream_input();
    case wire::MuxEvent::Kind::kWritable:
      return on_stream_room();
    case wire::MuxEvent::Kind::kReset:
      return on_stream_reset();
    default:
      return state_;
  }
}

Connection::State Connection::on_stream_input() {
  if (state_ != State::kConnected) return state_;
  stream_to_socket();
  if (write_broken_) socket_to_stream();
  return end_if_over();
}

Connection::State Connection::on_stream_room() {
  socket_to_stream();
  return end_if_over();
}

Connection::State Connection::on_stream_reset() {
  return end(wire::ResetReason::kClosed);
}

Connection::State Connection::pump() {
  stream_to_socket();
  socket_to_stream();
  return end_if_over();
}

void Connection::socket_to_stream() {
  while (readable_ && !read_ended_ && !read_broken_) {
    MutableBytes space = mux_.write_space(stream_);
    if (space.empty()) return;
    ssize_t count = ::recv(socket_.get(), space.data(), space.size(), 0);
    mux_.commit(stream_, count > 0 ? static_cast<std::size_t>(count) : 0);
    if (count > 0) {
      // Less than asked for is all there was, unless the end is right behind it.
      if (static_cast<std::size_t>(count) < space.size() && !hung_up_) readable_ = false;
    } else if (count == 0 && !reset_) {
      read_ended_ = true;
      mux_.finish(stream_);
    } else if (count < 0 && errno == EAGAIN) {
      readable_ = false;
    } else if (count == 0 || errno != EINTR) {
      read_broken_ = true;
    }
  }
}

void Connection::stream_to_socket() {
  while (true) {
    wire::Pieces pieces = mux_.pieces(stream_);
    if (pieces.empty()) break;
    if (write_broken_) {
      mux_.consume(stream_, pieces.front().size());
      continue;
    }
    if (!writable_) return;
    if (++sends_ == 2) send_without_delay();
    ssize_t count = send_to(socket_.get(), pieces);
    if (count >= 0) {
      mux_.consume(stream_, static_cast<std::size_t>(count));
    } else if (errno == EAGAIN) {
      writable_ = false;
      if (watch(kInputEvents | EPOLLOUT) != 0) write_broken_ = readable_ = hung_up_ = true;
    } else if (errno != EINTR) {
      // A pending reset is reported once, here; reading would then only see an end.
      reset_ = errno == ECONNRESET;
      write_broken_ = readable_ = hung_up_ = true;
    }
  }
  if (mux_.at_end(stream_) && !write_ended_) {
    write_ended_ = true;
    ::shutdown(socket_.get(), SHUT_WR);
  }
}

// Only from the second on would TCP hold a segment back, and most requests are one.
void Connection::send_without_delay() {
  int on = 1;
  ::setsockopt(socket_.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

// A server that broke off has first been read to the end; then the host is told.
Connection::State Connection::end_if_over() {
  if (read_broken_ || (read_ended_ && write_broken_)) return end(wire::ResetReason::kPeerReset);
  if (read_ended_ && write_ended_) return end(wire::ResetReason::kClosed);
  return state_;
}

// Closes both sides. The mux forgets a stream whose directions both ended and resets
// any other; the TCP connection is treated the same way.
Connection::State Connection::end(wire::ResetReason reason) {
  GONDOLIN_CHECK(state_ != State::kGone);
  mux_.close(stream_, reason);
  if (!read_ended_ || !write_ended_) {
    linger abort{.l_onoff = 1, .l_linger = 0};
    ::setsockopt(socket_.get(), SOL_SOCKET, SO_LINGER, &abort, sizeof abort);
  }
  socket_.reset();
  return state_ = State::kGone;
}

}  // namespace gondolin::guest
