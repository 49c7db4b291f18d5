// Plain blocking sockets for tests that send and expect exact bytes, and a gateway
// on a thread of its own to talk to. Every wait ends with a failure after 5 s.
#pragma once

#include <arpa/inet.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <functional>
#include <future>
#include <limits>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <gtest/gtest.h>

#include "base/unique_fd.hpp"
#include "ingress/gateway.hpp"
#include "io/run_loop.hpp"
#include "io/tcp.hpp"

namespace gondolin::ingress::testing {

inline constexpr int kPatienceMs = 5'000;

// How a connection ended, as its reader sees it.
enum class End { kOrderly, kReset, kOpen };

class Peer {
 public:
  Peer() = default;
  explicit Peer(UniqueFd fd) : fd_(std::move(fd)) {}

  static Peer connect(std::uint16_t port) {
    UniqueFd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_port = htons(port);
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    EXPECT_EQ(::connect(fd.get(), reinterpret_cast<sockaddr*>(&to), sizeof to), 0);
    return Peer(std::move(fd));
  }

  void send(std::string_view text) {
    while (!text.empty()) {
      ssize_t n = ::send(fd_.get(), text.data(), text.size(), MSG_NOSIGNAL);
      if (n < 0) return;  // a peer that broke off is found by reading
      text.remove_prefix(static_cast<std::size_t>(n));
    }
  }

  // What comes until `end` has come, `end` included.
  std::string read_until(std::string_view end) {
    std::size_t at = 0;
    while ((at = pending_.find(end)) == std::string::npos) {
      if (!fill()) {
        ADD_FAILURE() << "waited for \"" << end << "\", got \"" << pending_ << "\"";
        return std::exchange(pending_, {});
      }
    }
    return take(at + end.size());
  }

  std::string read(std::size_t size) {
    while (pending_.size() < size) {
      if (!fill()) {
        ADD_FAILURE() << "waited for " << size << " bytes, got " << pending_.size();
        return std::exchange(pending_, {});
      }
    }
    return take(size);
  }

  std::string read_head() { return read_until("\r\n\r\n"); }

  void expect(std::string_view text) { EXPECT_EQ(read(text.size()), text); }

  // Everything up to the end of the connection.
  std::string read_to_end() {
    while (fill()) {
    }
    return std::exchange(pending_, {});
  }

  // How the connection ended; nothing may come before.
  End end() {
    EXPECT_EQ(read_to_end(), "");
    return end_;
  }
  [[nodiscard]] End ending() const { return end_; }

  // Whether something can be read, an end included, within `ms`.
  [[nodiscard]] bool readable(int ms) const {
    pollfd poll{.fd = fd_.get(), .events = POLLIN, .revents = 0};
    return !pending_.empty() || ::poll(&poll, 1, ms) == 1;
  }

  void shutdown_write() { ::shutdown(fd_.get(), SHUT_WR); }
  void close() { fd_.reset(); }
  void reset() {
    linger hard{.l_onoff = 1, .l_linger = 0};
    ::setsockopt(fd_.get(), SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
    fd_.reset();
  }
  [[nodiscard]] int fd() const { return fd_.get(); }

 private:
  bool fill() {
    pollfd poll{.fd = fd_.get(), .events = POLLIN, .revents = 0};
    if (::poll(&poll, 1, kPatienceMs) != 1) return false;
    char buffer[64 * 1024];
    ssize_t n = ::recv(fd_.get(), buffer, sizeof buffer, 0);
    if (n > 0) {
      pending_.append(buffer, static_cast<std::size_t>(n));
      forget_date();
      return true;
    }
    end_ = n == 0 ? End::kOrderly : End::kReset;
    return false;
  }

  // No bytes to expect: the Date that the gateway gives a response that has none. A head
  // comes in one piece.
  void forget_date() {
    constexpr std::size_t kSize =
        std::string_view("Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n").size();
    for (std::size_t at = 0; (at = pending_.find("\r\nDate: ", at)) != std::string::npos;)
      pending_.erase(at + 2, kSize);
  }

  std::string take(std::size_t size) {
    std::string taken = pending_.substr(0, size);
    pending_.erase(0, size);
    return taken;
  }

  UniqueFd fd_;
  std::string pending_;
  End end_ = End::kOpen;
};

// A listening port that a test answers on.
class Backend {
 public:
  Backend() : listener_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in at{};
    at.sin_family = AF_INET;
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    EXPECT_EQ(::bind(listener_.get(), reinterpret_cast<sockaddr*>(&at), sizeof at), 0);
    EXPECT_EQ(::listen(listener_.get(), 64), 0);
    socklen_t size = sizeof at;
    ::getsockname(listener_.get(), reinterpret_cast<sockaddr*>(&at), &size);
    port_ = ntohs(at.sin_port);
  }

  [[nodiscard]] std::uint16_t port() const { return port_; }
  [[nodiscard]] int fd() const { return listener_.get(); }

  // Whether a connection is waiting within `ms`.
  [[nodiscard]] bool called(int ms) const {
    pollfd poll{.fd = listener_.get(), .events = POLLIN, .revents = 0};
    return ::poll(&poll, 1, ms) == 1;
  }

  Peer accept() {
    if (!called(kPatienceMs)) {
      ADD_FAILURE() << "nobody connected to the backend";
      return {};
    }
    return Peer(UniqueFd(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC)));
  }

 private:
  UniqueFd listener_;
  std::uint16_t port_ = 0;
};

// Takes no more than `most` of the bytes that a connection is opened with.
class StingyOpener final : public StreamOpener {
 public:
  explicit StingyOpener(StreamOpener& opener) : opener_(opener) {}

  Awaitable<Result<Opened>> open(Port port, std::span<const Bytes> first,
                                 std::chrono::milliseconds deadline) override {
    std::vector<Bytes> taken;
    std::size_t left = most;
    for (Bytes part : first) {
      taken.push_back(part.first(std::min(left, part.size())));
      left -= taken.back().size();
    }
    auto opened = co_await opener_.open(port, taken, deadline);
    if (opened && wrap) opened->stream = wrap(std::move(opened->stream));
    co_return opened;
  }

  std::size_t most = std::numeric_limits<std::size_t>::max();
  std::function<std::unique_ptr<ByteStream>(std::unique_ptr<ByteStream>)> wrap;

 private:
  StreamOpener& opener_;
};

// A gateway with one route, "/" to a backend, unless told otherwise.
class GatewayTest : public ::testing::Test {
 protected:
  ~GatewayTest() override { stop(); }

  void start(GatewayConfig config = {}) {
    if (routes_.empty()) routes_ = "/ :" + std::to_string(backend_.port());
    table_.update(routes_);
    gateway_ = std::make_unique<Gateway>(std::move(config),
                                         GatewayParts{.executor = loop_.get_executor(),
                                                      .opener = stingy_opener_,
                                                      .routes = table_,
                                                      .log = log_,
                                                      .listening_ports = listening_ports_,
                                                      .hooks = hooks_});
    auto started = gateway_->start();
    ASSERT_TRUE(started) << started.error().message;
    thread_ = std::thread([this] { run_loop(loop_); });
  }

  void stop() {
    if (!thread_.joinable()) return;
    asio::post(loop_, [this] { gateway_->close([this] { loop_.stop(); }); });
    thread_.join();
  }

  // Runs `work` on the gateway's thread and waits for it.
  template <typename Work>
  void on_loop(Work work) {
    std::promise<void> done;
    asio::post(loop_, [&] {
      work();
      done.set_value();
    });
    done.get_future().wait();
  }

  [[nodiscard]] Peer connect() const { return Peer::connect(gateway_->port()); }

  // What the gateway adds to a request with "Host: h".
  static constexpr std::string_view kAdded =
      "X-Forwarded-For: 127.0.0.1\r\n"
      "X-Forwarded-Host: localhost\r\n"
      "X-Forwarded-Proto: http\r\n"
      "Via: 1.1 gondolin\r\n"
      "Connection: close\r\n"
      "\r\n";

  asio::io_context loop_{1};
  TcpOpener opener_{loop_.get_executor()};
  StingyOpener stingy_opener_{opener_};
  DebugLog log_;
  RouteTable table_{log_};
  Backend backend_;
  std::string routes_;
  ListeningPorts listening_ports_;
  Hooks hooks_;
  std::unique_ptr<Gateway> gateway_;
  std::thread thread_;
};

}  // namespace gondolin::ingress::testing
