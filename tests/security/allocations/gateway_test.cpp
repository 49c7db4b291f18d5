// Allocations of the gateway's thread fail while it serves a client: that client's connection
// may end, and the next client notices nothing.

#include <exception>
#include <memory>
#include <new>
#include <optional>
#include <string>
#include <utility>
#include <variant>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "failing_new.hpp"
#include "gondolin/hooks.hpp"
#include "ingress/hook_call.hpp"
#include "io/mailbox.hpp"
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

// A hook that keeps its answer and throws: what it says later finds nobody, and that only once.
TEST(AllocationFailureInAHook, WhatItAnswersLaterFindsNobody) {
  asio::io_context loop;
  auto mailbox = std::make_shared<Mailbox>(loop.get_executor());
  HookAnswer<bool> kept;
  bool thrown = false;
  {
    HookCall call(loop.get_executor(), mailbox);
    auto asking = [&]() -> Awaitable<void> {
      static_cast<void>(co_await call.ask<bool>([&](HookAnswer<bool> answer) {
        kept = std::move(answer);
        throw std::bad_alloc();
      }));
    };
    asio::co_spawn(loop, asking, [&](const std::exception_ptr& error) { thrown = bool(error); });
    loop.run();
  }
  ASSERT_TRUE(thrown);
  kept(true);
  kept(false);
  loop.restart();
  EXPECT_EQ(loop.run(), 1U);
}

// A hook that drops its reply where there is no memory to say so: the gateway still hears of it.
TEST(AllocationFailureInAHook, AReplyThatIsDroppedAnswersAllTheSame) {
  int answers = 0;
  std::optional<HookReply<bool>> reply(std::in_place, [&](const HookOutcome<bool>& outcome) {
    answers += std::holds_alternative<std::exception_ptr>(outcome) ? 1 : 0;
  });
  test::fail_after(0);
  reply.reset();
  EXPECT_TRUE(test::stop_failing());
  EXPECT_EQ(answers, 1);
}

}  // namespace
}  // namespace gondolin::ingress::testing
