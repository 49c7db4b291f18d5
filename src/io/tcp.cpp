#include "io/tcp.hpp"

#include <sys/socket.h>
#include <sys/uio.h>

#include <array>
#include <cerrno>
#include <optional>
#include <string>
#include <tuple>
#include <utility>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/deferred.hpp>

#include "base/check.hpp"

namespace gondolin {

using asio::ip::tcp;

namespace {

// Gives errors as values, and awaits without a coroutine frame of its own.
constexpr auto kAwaited = asio::as_tuple(asio::deferred);

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

void close_with_reset(tcp::socket& socket) {
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

TcpStream::TcpStream(tcp::socket socket) : socket_(std::move(socket)) {
  boost::system::error_code ignored;
  socket_.non_blocking(true, ignored);
}

Awaitable<Result<std::size_t>> TcpStream::read_some(MutableBytes buffer) {
  GONDOLIN_CHECK(!buffer.empty());
  for (;;) {
    SocketOutcome now = receive_now(socket_.native_handle(), buffer);
    if (now.os_error == 0) co_return now.bytes;
    if (!now.would_block()) co_return tl::unexpected(stream_error("read", now.os_error));
    auto [error, n] =
        co_await socket_.async_read_some(asio::buffer(buffer.data(), buffer.size()), kAwaited);
    if (!error) co_return n;
    if (error == asio::error::eof) co_return std::size_t{0};
    co_return tl::unexpected(stream_error("read", error.value()));
  }
}

Awaitable<Status> TcpStream::write(std::span<const Bytes> parts) {
  std::array<Bytes, kMaxWriteParts> left;
  GONDOLIN_CHECK(parts.size() <= left.size());
  std::copy(parts.begin(), parts.end(), left.begin());
  std::size_t first = 0;
  for (;;) {
    SocketOutcome sent =
        send_now(socket_.native_handle(), std::span(left).subspan(first, parts.size() - first));
    if (sent.os_error != 0 && !sent.would_block()) {
      co_return tl::unexpected(stream_error("write", sent.os_error));
    }
    while (first < parts.size() && sent.bytes >= left[first].size()) {
      sent.bytes -= left[first++].size();
    }
    if (first == parts.size()) co_return Status{};
    left[first] = left[first].subspan(sent.bytes);
    auto [error] = co_await socket_.async_wait(tcp::socket::wait_write, kAwaited);
    if (error) co_return tl::unexpected(stream_error("write", error.value()));
  }
}

void TcpStream::shutdown_write() {
  boost::system::error_code ignored;
  socket_.shutdown(tcp::socket::shutdown_send, ignored);
}

void TcpStream::reset() {
  close_with_reset(socket_);
}

TcpOpener::TcpOpener(asio::any_io_executor executor)
    : executor_(std::move(executor)), deadlines_(std::make_shared<DeadlineQueue>(executor_)) {}

// Tries the loopback addresses in turn. What 127.0.0.1 says is the error, unless
// [::1] takes the connection.
Awaitable<Status> TcpOpener::connect(tcp::socket& socket, std::uint16_t port) {
  std::optional<Error> failure;
  for (const asio::ip::address& address : {asio::ip::address(asio::ip::address_v4::loopback()),
                                           asio::ip::address(asio::ip::address_v6::loopback())}) {
    const tcp::endpoint endpoint(address, port);
    boost::system::error_code error;
    socket.open(endpoint.protocol(), error);
    if (!error) std::tie(error) = co_await socket.async_connect(endpoint, kAwaited);
    if (!error) co_return Status{};
    if (!failure) failure = stream_error("connect to port " + std::to_string(port), error.value());
    if (failure->code != ErrorCode::kRefused) break;
    socket.close(error);
  }
  co_return tl::unexpected(std::move(*failure));
}

Awaitable<Result<std::unique_ptr<ByteStream>>> TcpOpener::open(Port port,
                                                               std::span<const Bytes> first,
                                                               std::chrono::milliseconds deadline) {
  const auto number = static_cast<std::uint16_t>(port);
  tcp::socket socket(executor_);
  std::unique_ptr<TcpStream> stream;
  bool late = false;
  const std::shared_ptr<DeadlineQueue> deadlines = deadlines_;
  Deadline limit(*deadlines, [&] {
    late = true;
    if (stream) {
      stream->reset();
    } else {
      close_with_reset(socket);
    }
  });
  limit.arm(deadline);
  Status done = co_await connect(socket, number);
  if (done) {
    boost::system::error_code ignored;
    socket.set_option(tcp::no_delay(true), ignored);
    stream = std::make_unique<TcpStream>(std::move(socket));
    // A peer that does not want to read all of it may have answered all the same:
    // whoever reads next finds out.
    if (!first.empty()) static_cast<void>(co_await stream->write(first));
  }
  if (late) {
    co_return fail(ErrorCode::kTimeout,
                   "port " + std::to_string(number) + " did not take the connection in time");
  }
  if (!done) co_return tl::unexpected(std::move(done.error()));
  co_return stream;
}

}  // namespace gondolin
