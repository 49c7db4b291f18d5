#include "ingress/gateway.hpp"

#include <sys/socket.h>

#include <cerrno>
#include <new>
#include <utility>

#include <boost/asio/bind_allocator.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <fmt/format.h>

#include "base/unique_fd.hpp"
#include "ingress/core.hpp"
#include "ingress/session.hpp"
#include "io/handler_memory.hpp"

namespace gondolin::ingress {

using asio::ip::tcp;

namespace {

// How many connections beyond the limit are told so, at a time; more are just closed.
constexpr std::size_t kMaxRefusals = 64;
// How many idle connections give way at a time when descriptors run out.
constexpr std::size_t kMaxIdleClosed = 16;
// How long to wait when the process has no descriptor left for a connection.
constexpr std::chrono::milliseconds kExhaustedPause{50};
// How many clients are let in before what else goes on gets its turn.
constexpr int kMaxAtOnce = 16;

bool is_exhaustion(int os_error) {
  switch (os_error) {
    case EMFILE:
    case ENFILE:
    case ENOBUFS:
    case ENOMEM:
      return true;
    default:
      return false;
  }
}

std::string bracketed(const std::string& host) {
  return host.find(':') == std::string::npos ? host : "[" + host + "]";
}

}  // namespace

// Accepting is two callbacks, one of which is always pending, in memory of its own: whatever
// runs out, a client is turned away and the next one waited for.
class Gateway::Impl : public std::enable_shared_from_this<Gateway::Impl> {
 public:
  Impl(GatewayConfig config, GatewayParts parts)
      : core_(std::make_shared<Core>(std::move(config), std::move(parts))),
        acceptor_(core_->parts.executor),
        pause_(core_->parts.executor) {}

  Status start();
  void close(std::function<void()> done);

  [[nodiscard]] std::size_t connections() const { return core_->sessions.size(); }
  [[nodiscard]] const std::string& host() const { return host_; }
  [[nodiscard]] std::uint16_t port() const { return port_; }

 private:
  void await_clients();
  void accept();
  void admit(UniqueFd client);
  void recover();
  void close_idle();

  std::shared_ptr<Core> core_;
  std::shared_ptr<HandlerMemory> memory_ = std::make_shared<HandlerMemory>();
  tcp::acceptor acceptor_;
  asio::steady_timer pause_;
  std::string host_;
  std::uint16_t port_ = 0;
  tcp protocol_ = tcp::v4();
};

Status Gateway::Impl::start() {
  const GatewayConfig& config = core_->config;
  const std::string where = fmt::format("{}:{}", bracketed(config.host), config.port);
  auto cannot = [&](const boost::system::error_code& error) {
    return tl::unexpected(Error{ErrorCode::kIo,
                                fmt::format("cannot listen on {}: {}", where, error.message()),
                                error.value()});
  };
  boost::system::error_code error;
  asio::ip::address address =
      asio::ip::make_address(config.host == "localhost" ? "127.0.0.1" : config.host, error);
  if (error) {
    return fail(ErrorCode::kInvalidArgument,
                fmt::format("cannot listen on {}: not an IP address", where));
  }
  tcp::endpoint endpoint(address, config.port);
  acceptor_.open(endpoint.protocol(), error);
  if (error) return cannot(error);
  acceptor_.set_option(tcp::acceptor::reuse_address(true), error);
  acceptor_.bind(endpoint, error);
  if (error) return cannot(error);
  acceptor_.listen(asio::socket_base::max_listen_connections, error);
  if (error) return cannot(error);
  acceptor_.native_non_blocking(true, error);
  if (error) return cannot(error);
  tcp::endpoint bound = acceptor_.local_endpoint(error);
  if (error) return cannot(error);
  host_ = bound.address().to_string();
  port_ = bound.port();
  protocol_ = bound.protocol();
  core_->authority = fmt::format("{}:{}", bracketed(host_), port_);
  await_clients();
  return {};
}

void Gateway::Impl::await_clients() {
  acceptor_.async_wait(tcp::acceptor::wait_read,
                       asio::bind_allocator(HandlerAllocator<>(memory_),
                                            [self = shared_from_this()](boost::system::error_code) {
                                              self->accept();
                                            }));
}

void Gateway::Impl::accept() {
  for (int i = 0; i < kMaxAtOnce && acceptor_.is_open(); ++i) {
    UniqueFd client(::accept4(acceptor_.native_handle(), nullptr, nullptr, SOCK_CLOEXEC));
    if (client.valid()) {
      admit(std::move(client));
    } else if (is_exhaustion(errno)) {
      return recover();
    } else if (errno == EAGAIN) {
      break;
    }
    // Anything else is of one connection that broke before it was accepted.
  }
  if (acceptor_.is_open()) await_clients();
}

void Gateway::Impl::admit(UniqueFd client) {
  const std::size_t open = core_->sessions.size();
  const std::size_t limit = core_->config.max_connections;
  boost::system::error_code error;
  try {
    tcp::socket socket(core_->parts.executor);
    socket.assign(protocol_, client.get(), error);
    if (error) return;
    static_cast<void>(client.release());
    if (open >= limit + kMaxRefusals) return close_with_reset(socket);
    auto admission = open < limit ? Session::Admission::kServe : Session::Admission::kTooMany;
    std::make_shared<Session>(core_, std::move(socket), admission)->start();
  } catch (const std::bad_alloc&) {
    return;  // with the socket, or the session, goes the connection
  }
}

// Out of descriptors, or memory of the kernel's.
void Gateway::Impl::recover() {
  try {
    close_idle();
    pause_.expires_after(kExhaustedPause);
    pause_.async_wait(asio::bind_allocator(HandlerAllocator<>(memory_),
                                           [self = shared_from_this()](boost::system::error_code) {
                                             if (self->acceptor_.is_open()) self->await_clients();
                                           }));
  } catch (const std::bad_alloc&) {
    await_clients();
  }
}

// Connections that only wait for a next request give theirs up.
void Gateway::Impl::close_idle() {
  if (core_->logs()) core_->log(0, "out of file descriptors, closing idle connections");
  std::size_t closed = 0;
  for (Session* session : core_->sessions) {
    if (!session->idle()) continue;
    session->abort();
    if (++closed == kMaxIdleClosed) break;
  }
}

void Gateway::Impl::close(std::function<void()> done) {
  boost::system::error_code ignored;
  acceptor_.close(ignored);
  pause_.cancel();
  core_->mailbox->close();
  if (core_->sessions.empty()) {
    if (done) done();
    return;
  }
  if (done) core_->on_last_session_end = std::move(done);
  for (Session* session : core_->sessions)
    session->abort();
}

Gateway::Gateway(GatewayConfig config, GatewayParts parts)
    : impl_(std::make_shared<Impl>(std::move(config), std::move(parts))) {}

Gateway::~Gateway() {
  impl_->close({});
}

Status Gateway::start() {
  return impl_->start();
}
const std::string& Gateway::host() const {
  return impl_->host();
}
std::uint16_t Gateway::port() const {
  return impl_->port();
}
void Gateway::close(std::function<void()> done) {
  impl_->close(std::move(done));
}
std::size_t Gateway::connections() const {
  return impl_->connections();
}

std::string bind_warning(const std::string& host) {
  if (is_loopback_host(host)) return {};
  return fmt::format(
      "listening on {}, which other machines may reach: whoever does can use the routed servers",
      bracketed(host));
}

}  // namespace gondolin::ingress
