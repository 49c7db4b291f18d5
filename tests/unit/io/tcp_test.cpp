#include "io/tcp.hpp"

#include <array>
#include <functional>
#include <string>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <gtest/gtest.h>

namespace gondolin {
namespace {

using asio::ip::tcp;
using namespace std::chrono_literals;

class Tcp : public ::testing::Test {
 protected:
  // Runs a coroutine to its end.
  void run(std::function<Awaitable<void>()> work) {
    asio::co_spawn(loop_, work, [this](const std::exception_ptr& error) {
      loop_.stop();
      if (error) std::rethrow_exception(error);
    });
    loop_.run();
    loop_.restart();
  }

  tcp::acceptor listen(const tcp::endpoint& at) {
    tcp::acceptor acceptor(loop_, at);
    return acceptor;
  }
  static Port port_of(const tcp::acceptor& acceptor) {
    return Port{acceptor.local_endpoint().port()};
  }

  static std::string text(std::span<const std::byte> bytes) { return std::string(as_text(bytes)); }

  asio::io_context loop_;
  TcpOpener opener_{loop_.get_executor()};
  std::array<std::byte, 16> buffer_{};
};

const tcp::endpoint kAnyPort(asio::ip::address_v4::loopback(), 0);

TEST_F(Tcp, SendsTheFirstBytesWithTheConnection) {
  tcp::acceptor acceptor = listen(kAnyPort);
  run([&]() -> Awaitable<void> {
    std::array first{as_bytes("GET "), as_bytes(""), as_bytes("/")};
    auto opened = co_await opener_.open(port_of(acceptor), first, 1s);
    EXPECT_EQ(opened.value().written, 5U);
    tcp::socket peer = acceptor.accept();
    std::string got(5, ' ');
    asio::read(peer, asio::buffer(got));
    EXPECT_EQ(got, "GET /");
  });
}

TEST_F(Tcp, TriesIpv6AtOnceWhenIpv4Refuses) {
  tcp::acceptor acceptor = listen({asio::ip::address_v6::loopback(), 0});
  run([&]() -> Awaitable<void> {
    auto opened = co_await opener_.open(port_of(acceptor), {}, 1s);
    EXPECT_TRUE(opened) << opened.error().message;
  });
}

TEST_F(Tcp, SaysWhenNothingListens) {
  Port port = port_of(listen(kAnyPort));
  run([&]() -> Awaitable<void> {
    auto opened = co_await opener_.open(port, {}, 1s);
    EXPECT_FALSE(opened);
    EXPECT_EQ(opened.error().code, ErrorCode::kRefused);
    EXPECT_EQ(opened.error().os_error, ECONNREFUSED);
  });
}

TEST_F(Tcp, ReadsToTheEndAndThenNothing) {
  tcp::acceptor acceptor = listen(kAnyPort);
  run([&]() -> Awaitable<void> {
    auto opened = co_await opener_.open(port_of(acceptor), {}, 1s);
    tcp::socket peer = acceptor.accept();
    peer.send(asio::buffer("abc", 3));
    peer.close();
    auto n = co_await opened->stream->read_some(buffer_);
    EXPECT_EQ(text(std::span(buffer_).first(n.value())), "abc");
    EXPECT_EQ((co_await opened->stream->read_some(buffer_)).value(), 0U);
    EXPECT_EQ((co_await opened->stream->read_some(buffer_)).value(), 0U);
  });
}

TEST_F(Tcp, ResetIsSeenAsAResetByThePeer) {
  tcp::acceptor acceptor = listen(kAnyPort);
  run([&]() -> Awaitable<void> {
    auto opened = co_await opener_.open(port_of(acceptor), {}, 1s);
    tcp::socket peer = acceptor.accept();
    opened->stream->reset();
    opened->stream->reset();
    boost::system::error_code error;
    peer.read_some(asio::buffer(buffer_.data(), 1), error);
    EXPECT_EQ(error, asio::error::connection_reset);
    EXPECT_EQ((co_await opened->stream->read_some(buffer_)).error().code, ErrorCode::kCancelled);
  });
}

TEST_F(Tcp, ResetEndsAReadThatWaits) {
  tcp::acceptor acceptor = listen(kAnyPort);
  run([&]() -> Awaitable<void> {
    auto opened = co_await opener_.open(port_of(acceptor), {}, 1s);
    asio::post(loop_, [&] { opened->stream->reset(); });
    auto n = co_await opened->stream->read_some(buffer_);
    EXPECT_FALSE(n);
    EXPECT_EQ(n.error().code, ErrorCode::kCancelled);
  });
}

TEST_F(Tcp, APeersResetIsNoEnd) {
  tcp::acceptor acceptor = listen(kAnyPort);
  run([&]() -> Awaitable<void> {
    auto opened = co_await opener_.open(port_of(acceptor), {}, 1s);
    tcp::socket peer = acceptor.accept();
    close_with_reset(peer);
    auto n = co_await opened->stream->read_some(buffer_);
    EXPECT_FALSE(n);
    EXPECT_EQ(n.error().code, ErrorCode::kReset);
  });
}

TEST_F(Tcp, HalfCloseLetsThePeerAnswer) {
  tcp::acceptor acceptor = listen(kAnyPort);
  run([&]() -> Awaitable<void> {
    auto opened = co_await opener_.open(port_of(acceptor), {}, 1s);
    tcp::socket peer = acceptor.accept();
    opened->stream->shutdown_write();
    boost::system::error_code error;
    peer.read_some(asio::buffer(buffer_.data(), 1), error);
    EXPECT_EQ(error, asio::error::eof);
    peer.send(asio::buffer("x", 1));
    EXPECT_EQ((co_await opened->stream->read_some(buffer_)).value(), 1U);
  });
}

TEST_F(Tcp, ALargeWriteWaitsForASlowPeer) {
  tcp::acceptor acceptor = listen(kAnyPort);
  const std::string block(8 << 20, 'x');
  std::size_t received = 0;
  run([&]() -> Awaitable<void> {
    auto opened = co_await opener_.open(port_of(acceptor), {}, 1s);
    tcp::socket peer = acceptor.accept();
    asio::co_spawn(
        loop_,
        [&]() -> Awaitable<void> {
          std::string into(1 << 16, ' ');
          while (received < block.size()) {
            received += co_await peer.async_read_some(asio::buffer(into), asio::use_awaitable);
          }
        },
        asio::detached);
    std::array parts{as_bytes(block)};
    EXPECT_TRUE(co_await opened->stream->write(parts));
    while (received < block.size())
      co_await asio::post(loop_, asio::use_awaitable);
  });
  EXPECT_EQ(received, block.size());
}

TEST_F(Tcp, FirstBytesThatAreNotTakenAreLeftToTheCaller) {
  tcp::acceptor acceptor = listen(kAnyPort);
  const std::string block(64 << 20, 'x');
  run([&]() -> Awaitable<void> {
    std::array first{as_bytes("head"), as_bytes(block)};
    auto opened = co_await opener_.open(port_of(acceptor), first, 50ms);
    EXPECT_TRUE(opened);
    EXPECT_GT(opened->written, 4U);
    EXPECT_LT(opened->written, block.size());
  });
}

}  // namespace
}  // namespace gondolin
