// Many clients at once, rude ones among them: nobody starves, nothing leaks, and
// the gateway outlives what the machine runs out of.
#include "harness/wire_test.hpp"

namespace gondolin::wiretest {
namespace {

// A gateway that no other test shares, with one backend at /.
struct Alone {
  explicit Alone(const GatewayOptions& options = {})
      : own("/ :" + std::to_string(backend.port()) + "\n/closed :" + std::to_string(closed.port()) +
                "\n",
            options) {}

  // One good request, start to end.
  void expect_served() {
    Connection client = own.gateway.connect();
    client.send(get("/"));
    Connection peer = backend.accept();
    static_cast<void>(receive_head(peer));
    peer.send(ok("served"));
    EXPECT_EQ(receive_response(client).body, "served");
  }

  // Answers and drops whatever has reached the backend.
  void drain() {
    while (auto peer = backend.accept_pending())
      peer->close();
  }

  FakeBackend backend;
  ClosedPort closed;
  OwnGateway own;
};

void expect_descriptors_back(Alone& alone, std::size_t baseline) {
  {
    // Connections are accepted in order: this answer comes when the storm's are all in.
    Connection last = alone.own.gateway.connect();
    last.send(get("/closed"));
    EXPECT_EQ(receive_response(last).status, 502);
  }
  EXPECT_TRUE(eventually([&] {
    alone.drain();
    return alone.own.gateway.descriptors() <= baseline;
  })) << alone.own.gateway.descriptors()
      << " descriptors, before it were " << baseline;
}

WIRE_TEST(Storms, FiftyRequestsAtOnceAreAllAnswered, "contract: open client connections") {
  std::vector<Connection> clients;
  for (int i = 0; i < 50; ++i) {
    clients.push_back(site().connect());
    clients.back().send(get("/" + std::to_string(i)));
  }
  std::vector<Connection> peers;
  for (int i = 0; i < 50; ++i) {
    peers.push_back(site().root.accept());
    const Head arrived = receive_head(peers.back());
    peers.back().send(ok(arrived.start_line));
  }
  for (int i = 0; i < 50; ++i) {
    EXPECT_EQ(receive_response(clients[static_cast<std::size_t>(i)]).body,
              "GET /" + std::to_string(i) + " HTTP/1.1");
  }
}

WIRE_TEST(Storms, ThousandConnectionsThatComeAndGoLeaveNoDescriptor,
          "contract: memory and descriptors") {
  Alone alone;
  alone.expect_served();
  const std::size_t baseline = alone.own.gateway.descriptors();
  for (int i = 0; i < 1000; ++i) {
    Connection client = alone.own.gateway.connect();
    switch (i % 4) {
      case 0:
        client.reset();
        break;
      case 1:
        client.send("GET / HT");
        client.reset();
        break;
      case 2:
        client.send(get("/closed"));
        client.reset();
        break;
      default:
        client.send(get("/"));
        client.close();
        break;
    }
    if (i % 50 == 0) alone.drain();
  }
  expect_descriptors_back(alone, baseline);
  alone.expect_served();
}

WIRE_TEST(Storms, BackendThatResetsEveryConnectionLeavesNoDescriptor,
          "contract: memory and descriptors") {
  Alone alone;
  alone.expect_served();
  const std::size_t baseline = alone.own.gateway.descriptors();
  for (int i = 0; i < 300; ++i) {
    Connection client = alone.own.gateway.connect();
    client.send(get("/"));
    Connection peer = alone.backend.accept();
    peer.reset();
    EXPECT_EQ(receive_response(client).status, 502);
  }
  expect_descriptors_back(alone, baseline);
}

WIRE_TEST(Storms, WaitingClientsThatAllResetLeaveNoDescriptor, "contract: client gone") {
  Alone alone;
  alone.expect_served();
  const std::size_t baseline = alone.own.gateway.descriptors();
  std::vector<Exchange> waiting;
  for (int i = 0; i < 200; ++i) {
    Connection client = alone.own.gateway.connect();
    client.send(get("/"));
    Connection peer = alone.backend.accept();
    Head head = receive_head(peer);
    waiting.push_back({std::move(client), std::move(peer), std::move(head)});
  }
  for (Exchange& x : waiting)
    x.client.reset();
  for (Exchange& x : waiting)
    x.backend.expect_end();
  expect_descriptors_back(alone, baseline);
}

WIRE_TEST(Storms, DribblingClientsDoNotStarveOthers, "contract: slowloris cannot starve others") {
  Alone alone;
  std::vector<Connection> slow;
  for (int i = 0; i < 300; ++i) {
    slow.push_back(alone.own.gateway.connect());
    slow.back().send("GET / HTTP/1.1\r\nHost: localhost\r\nX-A: ");
  }
  for (int round = 0; round < 5; ++round) {
    for (Connection& client : slow)
      client.send("x");
    const auto start = std::chrono::steady_clock::now();
    alone.expect_served();
    EXPECT_LT(std::chrono::steady_clock::now() - start, milliseconds(1000));
  }
}

WIRE_TEST(Storms, LargeHeadsFromManyClientsAreBounded, "contract: 64 KiB of headers") {
  Alone alone;
  alone.expect_served();
  const std::size_t before = alone.own.gateway.resident_kib();
  std::vector<Connection> clients;
  const std::string unfinished =
      "GET / HTTP/1.1\r\nHost: localhost\r\nX-A: " + std::string(60'000, 'v');
  for (int i = 0; i < 300; ++i) {
    clients.push_back(alone.own.gateway.connect());
    static_cast<void>(clients.back().send_until_stalled(unfinished, milliseconds(100)));
  }
  alone.expect_served();
  EXPECT_LT(alone.own.gateway.resident_kib(), before + allowance_kib(300 * 160));
}

WIRE_TEST(Storms, StalledDownloadsToManyClientsAreBounded,
          "contract: 64 KiB each way per connection") {
  Alone alone;
  alone.expect_served();
  const std::size_t before = alone.own.gateway.resident_kib();
  const std::string piece(4 << 20, 'p');
  std::vector<Exchange> open;
  for (int i = 0; i < 20; ++i) {
    Connection client = alone.own.gateway.connect();
    client.send(get("/"));
    Connection peer = alone.backend.accept();
    Head head = receive_head(peer);
    peer.send("HTTP/1.1 200 OK\r\n\r\n");
    static_cast<void>(peer.send_until_stalled(piece, milliseconds(20)));
    open.push_back({std::move(client), std::move(peer), std::move(head)});
  }
  EXPECT_LT(alone.own.gateway.resident_kib(), before + allowance_kib(20 * 200));
}

WIRE_TEST(Storms, RunningOutOfDescriptorsIsSurvived, "contract: EMFILE survived") {
  GatewayOptions options;
  options.descriptors = 40;
  Alone alone(options);
  std::vector<Connection> clients;
  for (int i = 0; i < 100; ++i) {
    clients.push_back(alone.own.gateway.connect());
    static_cast<void>(clients.back().send_until_stalled(get("/closed"), milliseconds(10)));
  }
  EXPECT_TRUE(alone.own.gateway.alive());
  const auto idle_cpu = alone.own.gateway.cpu_time();
  alone.own.gateway.connect().expect_silence(milliseconds(300));
  EXPECT_LT(alone.own.gateway.cpu_time() - idle_cpu, milliseconds(150)) << "it spins";
  clients.clear();
  EXPECT_TRUE(eventually([&] {
    Connection client = alone.own.gateway.connect();
    client.send(get("/closed"));
    return client.receive_some().starts_with("HTTP/1.1 502 ");
  }));
}

WIRE_TEST(Storms, IdleGatewayUsesNoProcessor, "contract: no busy wait") {
  Alone alone;
  alone.expect_served();
  Connection idle = alone.own.gateway.connect();
  const auto before = alone.own.gateway.cpu_time();
  idle.expect_silence(milliseconds(500));
  EXPECT_LE(alone.own.gateway.cpu_time() - before, milliseconds(20));
}

WIRE_TEST(Storms, WaitingExchangesUseNoProcessor, "contract: no busy wait") {
  Alone alone;
  Connection client = alone.own.gateway.connect();
  client.send(get("/") + get("/pipelined"));
  Connection peer = alone.backend.accept();
  static_cast<void>(receive_head(peer));
  const auto before = alone.own.gateway.cpu_time();
  client.expect_silence(milliseconds(500));
  EXPECT_LE(alone.own.gateway.cpu_time() - before, milliseconds(20));
  client.reset();
  peer.expect_end();
}

}  // namespace
}  // namespace gondolin::wiretest
