#include "api/loop_thread.hpp"

#include <stdexcept>
#include <thread>

#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <gtest/gtest.h>

namespace gondolin::api {
namespace {

Awaitable<int> seven() {
  co_return 7;
}
Awaitable<void> failing() {
  throw std::runtime_error("no");
  co_return;
}
Awaitable<void> forever() {
  asio::steady_timer timer(co_await asio::this_coro::executor);
  timer.expires_at(asio::steady_timer::time_point::max());
  co_await timer.async_wait(asio::use_awaitable);
}

TEST(LoopThread, ReturnsWhatTheWorkReturns) {
  LoopThread loop;
  EXPECT_EQ(loop.run(seven()), 7);
}

TEST(LoopThread, ThrowsWhatTheWorkThrows) {
  LoopThread loop;
  EXPECT_THROW(loop.run(failing()), std::runtime_error);
}

TEST(LoopThread, StoppingItEndsCallsThatWait) {
  LoopThread loop;
  std::thread stopper;
  loop.post([&] { stopper = std::thread([&] { loop.stop(); }); });
  EXPECT_THROW(loop.run(forever()), ApiError);
  stopper.join();
  EXPECT_THROW(loop.run(seven()), ApiError);
}

}  // namespace
}  // namespace gondolin::api
