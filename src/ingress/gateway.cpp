#include "ingress/gateway.hpp"

#include <algorithm>
#include <cerrno>
#include <utility>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/deferred.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <fmt/format.h>

#include "ingress/core.hpp"
#include "ingress/session.hpp"

namespace gondolin::ingress {

using asio::ip::tcp;

namespace {

constexpr auto kAwaited = asio::as_tuple(asio::deferred);

// How many connections beyond the limit are told so, at a time; more are just closed.
constexpr std::size_t kMaxRefusals = 64;
// How many idle connections give way at a time when descriptors run out.
constexpr std::size_t kMaxIdleClosed = 16;
// How long to wait when the process has no descriptor left for a connection.
constexpr std::chrono::milliseconds kExhaustedPause{50};

bool is_exhaustion(const boost::system::error_code& error) {
  switch (error.value()) {
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
  Awaitable<void> accept();
  void admit(tcp::socket socket);
  Awaitable<void> recover();

  std::shared_ptr<Core> core_;
  tcp::acceptor acceptor_;
  asio::steady_timer pause_;
  std::string host_;
  std::uint16_t port_ = 0;
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
  tcp::endpoint bound = acceptor_.local_endpoint(error);
  if (error) return cannot(error);
  host_ = bound.address().to_string();
  port_ = bound.port();
  core_->authority = fmt::format("{}:{}", bracketed(host_), port_);
  asio::co_spawn(
      core_->parts.executor, [self = shared_from_this()] { return self->accept(); },
      asio::detached);
  return {};
}

Awaitable<void> Gateway::Impl::accept() {
  while (acceptor_.is_open()) {
    auto [error, socket] = co_await acceptor_.async_accept(kAwaited);
    if (!error) {
      admit(std::move(socket));
    } else if (is_exhaustion(error)) {
      co_await recover();
    }
    // Anything else is of one connection that broke before it was accepted, or the
    // acceptor's end.
  }
}

void Gateway::Impl::admit(tcp::socket socket) {
  const std::size_t open = core_->sessions.size();
  const std::size_t limit = core_->config.max_connections;
  if (open >= limit + kMaxRefusals) {
    close_with_reset(socket);
    return;
  }
  auto admission = open < limit ? Session::Admission::kServe : Session::Admission::kTooMany;
  std::make_shared<Session>(core_, std::move(socket), admission)->start();
}

// Out of descriptors: connections that only wait for a next request give theirs up.
Awaitable<void> Gateway::Impl::recover() {
  if (core_->logs()) core_->log(0, "out of file descriptors, closing idle connections");
  std::size_t closed = 0;
  for (Session* session : std::vector<Session*>(core_->sessions.begin(), core_->sessions.end())) {
    if (!session->idle()) continue;
    session->abort();
    if (++closed == kMaxIdleClosed) break;
  }
  pause_.expires_after(kExhaustedPause);
  co_await pause_.async_wait(kAwaited);
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
  for (Session* session : std::vector<Session*>(core_->sessions.begin(), core_->sessions.end())) {
    session->abort();
  }
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
