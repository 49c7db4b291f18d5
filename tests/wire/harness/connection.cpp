#include "harness/connection.hpp"

#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/sockios.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <time.h>

#include <array>
#include <cerrno>
#include <system_error>

namespace gondolin::wiretest {
namespace {

constexpr std::size_t kShownBytes = 600;

[[noreturn]] void fail_errno(const std::string& what) {
  throw WireFailure(what + ": " + std::generic_category().message(errno));
}

void nap(long nanoseconds) {
  const timespec time{0, nanoseconds};
  ::nanosleep(&time, nullptr);
}

UniqueFd open_and_connect(const Address& address, int receive_window) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV;
  addrinfo* found = nullptr;
  if (::getaddrinfo(address.host.c_str(), std::to_string(address.port).c_str(), &hints, &found) !=
      0) {
    throw WireFailure("not a numeric address: " + address.host);
  }
  UniqueFd socket(::socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (receive_window > 0) {
    ::setsockopt(socket.get(), SOL_SOCKET, SO_RCVBUF, &receive_window, sizeof receive_window);
  }
  const int result = ::connect(socket.get(), found->ai_addr, found->ai_addrlen);
  ::freeaddrinfo(found);
  if (result != 0) {
    fail_errno("connect to " + address.host + " port " + std::to_string(address.port));
  }
  return socket;
}

}  // namespace

Connection::Connection(UniqueFd socket) : socket_(std::move(socket)) {
  const int flags = ::fcntl(fd(), F_GETFL);
  if (flags < 0 || ::fcntl(fd(), F_SETFL, flags | O_NONBLOCK) != 0) fail_errno("fcntl");
  const int on = 1;
  ::setsockopt(fd(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

Connection Connection::to(const Address& address) {
  return Connection(open_and_connect(address, 0));
}

Connection Connection::with_receive_window(const Address& address, int bytes) {
  return Connection(open_and_connect(address, bytes));
}

bool Connection::wait_for(short events, milliseconds patience) const {
  pollfd waiting{fd(), events, 0};
  int ready = 0;
  do {
    ready = ::poll(&waiting, 1, static_cast<int>(patience.count()));
  } while (ready < 0 && errno == EINTR);
  return ready > 0;
}

bool Connection::readable() const {
  return !buffer_.empty() || wait_for(POLLIN, milliseconds(0));
}

bool Connection::all_acknowledged() const {
  int pending = 0;
  return ::ioctl(fd(), SIOCOUTQ, &pending) == 0 && pending == 0;
}

void Connection::send(std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t sent = ::send(fd(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent > 0) {
      bytes.remove_prefix(static_cast<std::size_t>(sent));
    } else if (errno != EAGAIN && errno != EINTR) {
      fail_errno("send");
    } else if (!wait_for(POLLOUT, kPatience)) {
      throw WireFailure("send: the peer takes nothing; unsent: " + visible(bytes));
    }
  }
}

std::size_t Connection::drip(std::string_view bytes) {
  std::size_t sent = 0;
  for (; sent < bytes.size() && !readable(); ++sent) {
    if (::send(fd(), bytes.data() + sent, 1, MSG_NOSIGNAL) != 1) break;
    nap(20'000);
  }
  return sent;
}

std::size_t Connection::send_until_stalled(std::string_view bytes, milliseconds quiet) {
  std::size_t total = 0;
  while (total < bytes.size()) {
    const ssize_t sent = ::send(fd(), bytes.data() + total, bytes.size() - total, MSG_NOSIGNAL);
    if (sent > 0) {
      total += static_cast<std::size_t>(sent);
    } else if (errno != EAGAIN && errno != EINTR) {
      return total;
    } else if (!wait_for(POLLOUT, quiet)) {
      return total;
    }
  }
  return total;
}

void Connection::finish() {
  if (::shutdown(fd(), SHUT_WR) != 0) fail_errno("shutdown");
}

void Connection::close() {
  socket_.reset();
}

void Connection::reset() {
  const linger abort{1, 0};
  ::setsockopt(fd(), SOL_SOCKET, SO_LINGER, &abort, sizeof abort);
  socket_.reset();
}

bool Connection::fill(std::string_view awaited, milliseconds patience) {
  if (ended_) return false;
  std::array<char, 65536> chunk;
  for (;;) {
    const ssize_t count = ::recv(fd(), chunk.data(), chunk.size(), 0);
    if (count > 0) {
      buffer_.append(chunk.data(), static_cast<std::size_t>(count));
      return true;
    }
    if (count == 0 || errno == ECONNRESET || errno == EPIPE) {
      ended_ = true;
      end_ = count == 0 ? End::kFin : End::kReset;
      return false;
    }
    if (errno != EAGAIN && errno != EINTR) fail_errno("receive");
    if (!wait_for(POLLIN, patience)) {
      throw WireFailure("nothing more arrived while waiting for " + std::string(awaited) +
                        "; so far: " + visible(buffer_));
    }
  }
}

std::string Connection::receive(std::size_t count) {
  const std::string awaited = std::to_string(count) + " bytes";
  while (buffer_.size() < count) {
    if (!fill(awaited)) {
      throw WireFailure("the stream ended before " + awaited + "; it held: " + visible(buffer_));
    }
  }
  std::string taken = buffer_.substr(0, count);
  buffer_.erase(0, count);
  return taken;
}

std::string Connection::receive_some(std::size_t most) {
  if (buffer_.empty()) static_cast<void>(fill("any byte"));
  std::string taken = buffer_.substr(0, most);
  buffer_.erase(0, taken.size());
  return taken;
}

std::string Connection::receive_until(std::string_view delimiter) {
  std::size_t searched = 0;
  for (;;) {
    const std::size_t found = buffer_.find(delimiter, searched);
    if (found != std::string::npos) {
      std::string taken = buffer_.substr(0, found + delimiter.size());
      buffer_.erase(0, taken.size());
      return taken;
    }
    searched = buffer_.size() < delimiter.size() ? 0 : buffer_.size() - delimiter.size();
    if (!fill(visible(delimiter))) {
      throw WireFailure("the stream ended before " + visible(delimiter) +
                        "; it held: " + visible(buffer_));
    }
  }
}

Connection::Rest Connection::receive_rest() {
  while (fill("the end of the stream")) {
  }
  return {std::exchange(buffer_, {}), end_};
}

void Connection::expect(std::string_view bytes) {
  const std::string got = receive(bytes.size());
  if (got != bytes) {
    throw WireFailure("expected " + visible(bytes) + "\n     got " + visible(got));
  }
}

End Connection::expect_end() {
  if (!buffer_.empty() || fill("the end of the stream")) {
    throw WireFailure("expected the end of the stream, got " + visible(buffer_));
  }
  return end_;
}

void Connection::expect_silence(milliseconds quiet) {
  if (!buffer_.empty()) throw WireFailure("expected silence, got " + visible(buffer_));
  if (!wait_for(POLLIN, quiet)) return;
  if (fill("nothing")) throw WireFailure("expected silence, got " + visible(buffer_));
  throw WireFailure("expected silence, the peer ended the stream");
}

std::uint16_t Connection::local_port() const {
  sockaddr_storage storage{};
  socklen_t length = sizeof storage;
  if (::getsockname(fd(), reinterpret_cast<sockaddr*>(&storage), &length) != 0) {
    fail_errno("getsockname");
  }
  return ntohs(reinterpret_cast<const sockaddr_in*>(&storage)->sin_port);
}

std::string visible(std::string_view bytes) {
  static constexpr std::string_view kDigits = "0123456789abcdef";
  std::string out = "\"";
  for (const char c : bytes.substr(0, kShownBytes)) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '\r') {
      out += "\\r";
    } else if (c == '\n') {
      out += "\\n";
    } else if (byte < 0x20 || byte >= 0x7f) {
      out += "\\x";
      out += kDigits[byte >> 4U];
      out += kDigits[byte & 15U];
    } else {
      out += c;
    }
  }
  out += '"';
  if (bytes.size() > kShownBytes) out += "... (" + std::to_string(bytes.size()) + " bytes)";
  return out;
}

void pause_between_looks() {
  nap(2'000'000);
}

}  // namespace gondolin::wiretest
