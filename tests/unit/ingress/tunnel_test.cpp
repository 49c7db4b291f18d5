// WebSockets through the gateway, byte by byte.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "io/signal.hpp"
#include "wire.hpp"

namespace gondolin::ingress {
namespace {

using testing::End;
using ::testing::HasSubstr;
using testing::Peer;
using ::testing::StartsWith;

class Tunnel : public testing::GatewayTest {
 protected:
  static std::string handshake(std::string_view more = "") {
    return "GET /ws HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
           "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n" +
           std::string(more) + "\r\n";
  }
  static constexpr std::string_view kSwitch =
      "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
      "Sec-WebSocket-Accept: x\r\n\r\n";

  // A tunnel that stands.
  std::pair<Peer, Peer> open() {
    Peer client = connect();
    client.send(handshake());
    Peer backend = backend_.accept();
    backend.read_head();
    backend.send(kSwitch);
    client.read_head();
    return {std::move(client), std::move(backend)};
  }
};

TEST_F(Tunnel, PassesTheHandshakeAndThenBytesBothWays) {
  start();
  Peer client = connect();
  client.send(handshake("Origin: http://localhost:5173\r\nSec-WebSocket-Protocol: p\r\n"));
  Peer backend = backend_.accept();
  std::string head = backend.read_head();
  EXPECT_THAT(head, HasSubstr("\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"));
  EXPECT_THAT(head, HasSubstr("\r\nSec-WebSocket-Protocol: p\r\n"));
  EXPECT_THAT(head, HasSubstr("\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"));
  backend.send(kSwitch);
  client.expect(
      "HTTP/1.1 101 Switching Protocols\r\nSec-WebSocket-Accept: x\r\nConnection: Upgrade\r\n"
      "Upgrade: websocket\r\n\r\n");
  client.send(std::string_view("\x81\x00\xff", 3));
  backend.expect(std::string_view("\x81\x00\xff", 3));
  backend.send("HTTP/1.1 400\r\n\r\n");
  client.expect("HTTP/1.1 400\r\n\r\n");
}

TEST_F(Tunnel, EarlyBytesOfEitherSideArrive) {
  start();
  Peer client = connect();
  client.send(handshake() + "early");
  Peer backend = backend_.accept();
  backend.read_head();
  backend.send(std::string(kSwitch) + "hello");
  client.read_head();
  client.expect("hello");
  backend.expect("early");
}

TEST_F(Tunnel, AHandshakeThatTheBackendDoesNotTakeAtOnceComesBehind) {
  start();
  stingy_opener_.most = 30;
  auto [client, backend] = open();
  client.send("a");
  backend.expect("a");
  backend.send("b");
  client.expect("b");
}

// Takes nothing any more.
class FullStream final : public ByteStream {
 public:
  FullStream(const asio::any_io_executor& executor, std::unique_ptr<ByteStream> stream)
      : stream_(std::move(stream)), ended_(executor) {}

  Awaitable<Result<std::size_t>> read_some(MutableBytes buffer) override {
    return stream_->read_some(buffer);
  }
  Awaitable<Status> write(std::span<const Bytes> /*parts*/) override {
    co_await ended_.wait();
    co_return fail(ErrorCode::kCancelled, "it was reset");
  }
  void shutdown_write() override { stream_->shutdown_write(); }
  void reset() noexcept override {
    stream_->reset();
    ended_.notify();
  }

 private:
  std::unique_ptr<ByteStream> stream_;
  Signal ended_;
};

TEST_F(Tunnel, ASwitchBeforeTheRequestWasTakenIs502) {
  stingy_opener_.most = 30;
  stingy_opener_.wrap = [&](std::unique_ptr<ByteStream> stream) {
    return std::make_unique<FullStream>(loop_.get_executor(), std::move(stream));
  };
  start();
  Peer client = connect();
  client.send(handshake());
  Peer backend = backend_.accept();
  backend.send(kSwitch);
  EXPECT_THAT(client.read_head(), StartsWith("HTTP/1.1 502 Bad Gateway\r\n"));
}

TEST_F(Tunnel, AHalfCloseOfTheClientPasses) {
  start();
  auto [client, backend] = open();
  client.send("a");
  client.shutdown_write();
  EXPECT_EQ(backend.read_to_end(), "a");
  backend.send("late");
  backend.close();
  EXPECT_EQ(client.read_to_end(), "late");
  EXPECT_EQ(client.ending(), End::kOrderly);
}

TEST_F(Tunnel, AHalfCloseOfTheBackendPasses) {
  start();
  auto [client, backend] = open();
  backend.send("a");
  backend.shutdown_write();
  EXPECT_EQ(client.read_to_end(), "a");
  client.send("late");
  client.close();
  EXPECT_EQ(backend.read_to_end(), "late");
}

TEST_F(Tunnel, AResetOfEitherEndEndsTheOther) {
  start();
  auto first = open();
  first.first.reset();
  EXPECT_EQ(first.second.end(), End::kReset);
  auto second = open();
  second.second.reset();
  EXPECT_EQ(second.first.end(), End::kReset);
}

TEST_F(Tunnel, AClientThatResetsInsideTheHandshakeHarmsNobody) {
  start();
  Peer client = connect();
  client.send(handshake());
  Peer backend = backend_.accept();
  backend.read_head();
  client.reset();
  EXPECT_EQ(backend.end(), End::kReset);
  auto next = open();
  next.first.send("x");
  next.second.expect("x");
}

TEST_F(Tunnel, ARefusalIsRelayedWithItsBody) {
  start();
  Peer client = connect();
  client.send(handshake());
  Peer backend = backend_.accept();
  backend.read_head();
  backend.send("HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\n");
  client.read_head();
  backend.send("no");
  client.expect("no");
}

TEST_F(Tunnel, MalformedHandshakesAre400) {
  start();
  Peer client = connect();
  client.send(
      "GET / HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n");
  EXPECT_THAT(client.read_head(), StartsWith("HTTP/1.1 400 "));
  EXPECT_FALSE(backend_.called(0));
}

TEST_F(Tunnel, PagesOfOtherHostsAre403) {
  start();
  for (std::string_view origin : {"http://evil.example", "null"}) {
    Peer client = connect();
    client.send(handshake("Origin: " + std::string(origin) + "\r\n"));
    EXPECT_THAT(client.read_head(), StartsWith("HTTP/1.1 403 "));
  }
  EXPECT_FALSE(backend_.called(0));
}

TEST_F(Tunnel, DisabledIs501) {
  start({.websockets = WebSockets::kDisabled});
  Peer client = connect();
  client.send(handshake());
  EXPECT_THAT(client.read_head(), StartsWith("HTTP/1.1 501 Not Implemented\r\n"));
  client.expect("websocket upgrades disabled\n");
  EXPECT_FALSE(backend_.called(0));
}

TEST_F(Tunnel, Http10UpgradesAreIgnored) {
  start();
  Peer client = connect();
  client.send(
      "GET / HTTP/1.0\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n");
  Peer backend = backend_.accept();
  EXPECT_THAT(backend.read_head(), HasSubstr("\r\nConnection: close\r\n"));
}

TEST_F(Tunnel, ALargeTransferEachWayAtOnce) {
  start();
  auto [client, backend] = open();
  const std::string up(4 << 20, 'u');
  const std::string down(4 << 20, 'd');
  std::thread sending_up([&to = client, &up] { to.send(up); });
  std::thread sending_down([&to = backend, &down] { to.send(down); });
  std::thread reading([&from = backend, &up] { EXPECT_TRUE(from.read(up.size()) == up); });
  EXPECT_TRUE(client.read(down.size()) == down);
  sending_up.join();
  sending_down.join();
  reading.join();
}

TEST_F(Tunnel, CloseEndsATunnel) {
  start();
  auto [client, backend] = open();
  stop();
  EXPECT_EQ(client.end(), End::kReset);
  EXPECT_EQ(backend.end(), End::kReset);
}

}  // namespace
}  // namespace gondolin::ingress
