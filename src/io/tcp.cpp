#include "io/tcp.hpp"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include <array>
#include <cerrno>
#include <string>
#include <utility>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/deferred.hpp>
#include <boost/asio/recycling_allocator.hpp>

#include "base/check.hpp"
#include "base/unique_fd.hpp"
#include "io/pending_parts.hpp"

namespace gondolin {

using asio::ip::tcp;

namespace {

// Gives errors as values, and awaits without a coroutine frame of its own.
constexpr auto kAwaited = asio::as_tuple(asio::deferred);

// Lets the ACK that ends the handshake travel with the first bytes: a packet less, and a
// server that is woken when there is something to read. Where nothing is sent after all,
// the kernel's delayed-ACK timer sends it.
void hold_back_handshake_ack(int socket) {
  const int off = 0;
  ::setsockopt(socket, IPPROTO_TCP, TCP_QUICKACK, &off, sizeof off);
}

Error connect_error(const tcp::endpoint& to, int os_error) {
  return stream_error("connect to port " + std::to_string(to.port()), os_error);
}

Opened opened(tcp::socket socket, std::size_t written) {
  return {.stream = std::make_unique<TcpStream>(std::move(socket), TcpStream::Readiness::kUnlikely),
          .written = written};
}

}  // namespace

bool SocketOutcome::would_block() const {
  return os_error == EAGAIN;
}

SocketOutcome receive_now(int socket, MutableBytes buffer) {
  for (;;) {
    ssize_t n = ::recv(socket, buffer.data(), buffer.size(), MSG_DONTWAIT);
    if (n >= 0) return {.bytes = static_cast<std::size_t>(n)};
    if (errno != EINTR) return {.os_error = errno};
  }
}

SocketOutcome send_now(int socket, std::span<const Bytes> parts) {
  GONDOLIN_CHECK(parts.size() <= kMaxGather);
  std::array<iovec, kMaxGather> vector;
  std::size_t count = 0;
  for (Bytes part : parts) {
    if (part.empty()) continue;
    vector[count++] = {const_cast<std::byte*>(part.data()), part.size()};
  }
  if (count == 0) return {};
  msghdr message{};
  message.msg_iov = vector.data();
  message.msg_iovlen = count;
  for (;;) {
    ssize_t n = ::sendmsg(socket, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (n >= 0) return {.bytes = static_cast<std::size_t>(n)};
    if (errno != EINTR) return {.os_error = errno};
  }
}

void close_with_reset(tcp::socket& socket) noexcept {
  boost::system::error_code ignored;
  if (!socket.is_open()) return;
  socket.set_option(asio::socket_base::linger(true, 0), ignored);
  socket.close(ignored);
}

Error stream_error(const std::string& what, int os_error) {
  ErrorCode code = ErrorCode::kIo;
  switch (os_error) {
    case ECONNREFUSED:
    case EACCES:
    case EPERM:
      code = ErrorCode::kRefused;
      break;
    case ECONNRESET:
    case EPIPE:
    case ECONNABORTED:
      code = ErrorCode::kReset;
      break;
    case ECANCELED:
    case EBADF:  // the socket was closed by reset()
      code = ErrorCode::kCancelled;
      break;
    case ETIMEDOUT:
      code = ErrorCode::kTimeout;
      break;
    default:
      break;
  }
  return {code, what + ": " + std::generic_category().message(os_error), os_error};
}

void* TcpStream::operator new(std::size_t size) {
  return asio::recycling_allocator<std::byte>().allocate(size);
}

void TcpStream::operator delete(void* memory, std::size_t size) {
  asio::recycling_allocator<std::byte>().deallocate(static_cast<std::byte*>(memory), size);
}

TcpStream::TcpStream(tcp::socket socket, Readiness readiness)
    : socket_(std::move(socket)), readiness_(readiness) {}

Awaitable<Result<std::size_t>> TcpStream::read_some(MutableBytes buffer) {
  GONDOLIN_CHECK(!buffer.empty());
  if (readiness_ == Readiness::kLikely) {
    SocketOutcome now = receive_now(socket_.native_handle(), buffer);
    if (now.os_error == 0) {
      // What did not fill the buffer was probably all there is for now.
      if (now.bytes < buffer.size() && now.bytes > 0) readiness_ = Readiness::kUnlikely;
      co_return now.bytes;
    }
    if (!now.would_block()) co_return tl::unexpected(stream_error("read", now.os_error));
  }
  auto [error, n] =
      co_await socket_.async_read_some(asio::buffer(buffer.data(), buffer.size()), kAwaited);
  readiness_ = n < buffer.size() && !error ? Readiness::kUnlikely : Readiness::kLikely;
  if (!error) co_return n;
  if (error == asio::error::eof) co_return std::size_t{0};
  co_return tl::unexpected(stream_error("read", error.value()));
}

Awaitable<Status> TcpStream::write(std::span<const Bytes> parts) {
  // The first write leaves at once in any case: nothing is unacknowledged before it.
  if (std::exchange(delays_, Delays::kOff) == Delays::kOn) {
    boost::system::error_code ignored;
    socket_.set_option(tcp::no_delay(true), ignored);
  }
  PendingParts<kMaxWriteParts> left(parts);
  while (!left.done()) {
    SocketOutcome sent = send_now(socket_.native_handle(), left.get());
    if (sent.os_error != 0 && !sent.would_block()) {
      co_return tl::unexpected(stream_error("write", sent.os_error));
    }
    left.advance(sent.bytes);
    if (left.done()) break;
    auto [error] = co_await socket_.async_wait(tcp::socket::wait_write, kAwaited);
    if (error) co_return tl::unexpected(stream_error("write", error.value()));
  }
  co_return Status{};
}

void TcpStream::shutdown_write() {
  boost::system::error_code ignored;
  socket_.shutdown(tcp::socket::shutdown_send, ignored);
}

void TcpStream::reset() noexcept {
  close_with_reset(socket_);
}

TcpOpener::TcpOpener(asio::any_io_executor executor)
    : executor_(std::move(executor)), deadlines_(std::make_shared<DeadlineQueue>(executor_)) {}

// The handshake on a loopback is mostly done when connect(2) returns, although it says
// EINPROGRESS; sending the first bytes finds out, and only where that would block does
// the event loop come into it.
Result<std::optional<std::size_t>> TcpOpener::connect_now(tcp::socket& socket,
                                                          const tcp::endpoint& to,
                                                          std::span<const Bytes> first) {
  auto failed = [&](int os_error) { return tl::unexpected(connect_error(to, os_error)); };
  const bool silent = PendingParts<ByteStream::kMaxWriteParts>(first).done();
  UniqueFd fd(::socket(to.protocol().family(), SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!fd.valid()) return failed(errno);
  if (!silent) hold_back_handshake_ack(fd.get());
  if (::connect(fd.get(), to.data(), static_cast<socklen_t>(to.size())) != 0 &&
      errno != EINPROGRESS) {
    return failed(errno);
  }
  boost::system::error_code error;
  socket.assign(to.protocol(), fd.get(), error);
  if (error) return failed(error.value());
  static_cast<void>(fd.release());
  if (silent) return std::nullopt;
  SocketOutcome sent = send_now(socket.native_handle(), first);
  if (sent.os_error == 0) return sent.bytes;
  if (!sent.would_block()) return failed(sent.os_error);
  return std::nullopt;
}

Awaitable<Result<std::size_t>> TcpOpener::settle(tcp::socket& socket, tcp::endpoint to,
                                                 std::span<const Bytes> first,
                                                 Result<std::optional<std::size_t>> begun) {
  if (!begun) co_return tl::unexpected(std::move(begun.error()));
  if (*begun) co_return **begun;
  auto [error] = co_await socket.async_wait(tcp::socket::wait_write, kAwaited);
  int os_error = error.value();
  socklen_t size = sizeof os_error;
  if (!error) ::getsockopt(socket.native_handle(), SOL_SOCKET, SO_ERROR, &os_error, &size);
  if (os_error != 0) co_return tl::unexpected(connect_error(to, os_error));
  // A peer that wants none of it may have answered all the same: whoever reads finds out.
  co_return send_now(socket.native_handle(), first).bytes;
}

Awaitable<Result<Opened>> TcpOpener::open(Port port, std::span<const Bytes> first,
                                          std::chrono::milliseconds deadline) {
  const tcp::endpoint to(asio::ip::address_v4::loopback(), static_cast<std::uint16_t>(port));
  tcp::socket socket(executor_);
  auto begun = connect_now(socket, to, first);
  if (begun && *begun) co_return opened(std::move(socket), **begun);
  co_return co_await open_slowly(std::move(socket), to, first, std::move(begun), deadline);
}

// What 127.0.0.1 says is the error, unless [::1] takes the connection.
Awaitable<Result<Opened>> TcpOpener::open_slowly(tcp::socket socket, tcp::endpoint to,
                                                 std::span<const Bytes> first,
                                                 Result<std::optional<std::size_t>> begun,
                                                 std::chrono::milliseconds deadline) {
  bool late = false;
  const std::shared_ptr<DeadlineQueue> deadlines = deadlines_;
  Deadline limit(*deadlines, [&] {
    late = true;
    close_with_reset(socket);
  });
  limit.arm(deadline);
  auto sent = co_await settle(socket, to, first, std::move(begun));
  if (!sent && sent.error().code == ErrorCode::kRefused) {
    boost::system::error_code ignored;
    socket.close(ignored);
    const tcp::endpoint to_v6(asio::ip::address_v6::loopback(), to.port());
    auto sent_v6 = co_await settle(socket, to_v6, first, connect_now(socket, to_v6, first));
    if (sent_v6) sent = sent_v6;
  }
  if (late) {
    co_return fail(ErrorCode::kTimeout,
                   "port " + std::to_string(to.port()) + " did not take the connection in time");
  }
  if (!sent) co_return tl::unexpected(std::move(sent.error()));
  co_return opened(std::move(socket), *sent);
}

}  // namespace gondolin
