// Allocations of the gateway's thread fail while it serves a client: that client's connection
// may end, and the next client notices nothing.

#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "failing_new.hpp"
#include "unit/ingress/wire.hpp"

namespace gondolin::ingress::testing {
namespace {

using AllocationFailureInTheGateway = GatewayTest;

TEST_F(AllocationFailureInTheGateway, EndsThatConnectionOnly) {
  start();
  std::size_t ended = 0;
  for (std::size_t n = 0; n < 200; ++n) {
    Peer victim = connect();
    bool serves = false;
    while (!serves)
      on_loop([&] { serves = gateway_->connections() == 1; });
    on_loop([&] { test::fail_after(n); });
    victim.send("GET /nowhere HTTP/1.1\r\nHost: localhost\r\nHost: twice\r\n\r\n");
    if (victim.read_to_end().find("400 Bad Request") == std::string::npos) ++ended;
    bool failed = false;
    bool gone = false;
    while (!gone)
      on_loop([&] { gone = gateway_->connections() == 0; });
    on_loop([&] { failed = test::stop_failing(); });
    Peer next = connect();
    next.send("GET /nowhere HTTP/1.1\r\nHost: localhost\r\nHost: twice\r\n\r\n");
    ASSERT_NE(next.read_to_end().find("400 Bad Request"), std::string::npos) << n;
    if (!failed) break;
  }
  EXPECT_GT(ended, 0U);
}

}  // namespace
}  // namespace gondolin::ingress::testing
