// The two timeouts that no option shortens: the request head (30 s) and an idle
// connection (60 s). One test waits for all of them at once.
#include "harness/wire_test.hpp"

namespace gondolin::wiretest {
namespace {

using Clock = std::chrono::steady_clock;

// What must be readable on `client` between `least` and `most` after `start`.
void expect_readable_between(const Connection& client, Clock::time_point start,
                             std::chrono::seconds least, std::chrono::seconds most) {
  const auto left = std::chrono::duration_cast<milliseconds>(start + most - Clock::now());
  EXPECT_TRUE(eventually([&] { return client.readable(); }, left)) << "still silent";
  EXPECT_GE(Clock::now() - start, least);
}

WIRE_TEST(SlowTimeouts, HeadsAfter30SecondsAndIdleConnectionsAfter60AreEnded,
          "contract: request header 30 s; idle keep-alive 60 s") {
  OwnGateway own("");
  Connection half_head = own.gateway.connect();
  half_head.send("GET / HTTP/1.1\r\nHost: loc");
  Connection dribbled = own.gateway.connect();
  Connection idle = own.gateway.connect();
  idle.send(get("/"));
  expect_error(idle, {404});
  const auto start = Clock::now();

  // A byte a second must not extend the deadline of the head.
  dribbled.send("GET / HTTP/1.1\r\nX-A: ");
  while (!dribbled.readable() && Clock::now() - start < std::chrono::seconds(40)) {
    static_cast<void>(dribbled.send_until_stalled("v", milliseconds(100)));
    static_cast<void>(eventually([&] { return dribbled.readable(); }, milliseconds(1000)));
  }
  expect_readable_between(dribbled, start, std::chrono::seconds(29), std::chrono::seconds(40));
  expect_error(dribbled, {408});
  expect_readable_between(half_head, start, std::chrono::seconds(29), std::chrono::seconds(40));
  expect_error(half_head, {408});
  half_head.expect_end();
  expect_readable_between(idle, start, std::chrono::seconds(59), std::chrono::seconds(70));
  const std::string last = idle.receive_rest().bytes;
  EXPECT_TRUE(last.empty() || last.starts_with("HTTP/1.1 408 ")) << visible(last);
}

}  // namespace
}  // namespace gondolin::wiretest
