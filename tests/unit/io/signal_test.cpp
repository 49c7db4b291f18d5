#include "io/signal.hpp"

#include <memory>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <gtest/gtest.h>

#include "io/stream.hpp"

namespace gondolin {
namespace {

Awaitable<void> wait_for(std::unique_ptr<Signal> signal, std::shared_ptr<int> owned) {
  co_await signal->wait();
  ++*owned;
}

TEST(Signal, WakesWhoWaits) {
  asio::io_context loop;
  auto owned = std::make_shared<int>(0);
  auto signal = std::make_unique<Signal>(loop.get_executor());
  Signal& same = *signal;
  asio::co_spawn(loop, wait_for(std::move(signal), owned), asio::detached);
  loop.poll();
  EXPECT_TRUE(same.awaited());
  same.notify();
  loop.restart();
  loop.poll();
  EXPECT_EQ(*owned, 1);
  EXPECT_EQ(owned.use_count(), 1);
}

TEST(Signal, TheEndOfTheLoopIsTheEndOfWhoWaitsThoughHeOwnsTheSignal) {
  auto owned = std::make_shared<int>(0);
  {
    asio::io_context loop;
    for (int i = 0; i < 3; ++i) {
      auto signal = std::make_unique<Signal>(loop.get_executor());
      asio::co_spawn(loop, wait_for(std::move(signal), owned), asio::detached);
    }
    loop.poll();
    EXPECT_EQ(owned.use_count(), 4);
  }
  EXPECT_EQ(*owned, 0);
  EXPECT_EQ(owned.use_count(), 1);
}

TEST(Signal, AnEndedSignalDropsItsWaiter) {
  auto owned = std::make_shared<int>(0);
  asio::io_context loop;
  auto signal = std::make_unique<Signal>(loop.get_executor());
  auto wait = [](Signal& from, std::shared_ptr<int> mine) -> Awaitable<void> {
    co_await from.wait();
    ++*mine;
  };
  asio::co_spawn(loop, wait(*signal, owned), asio::detached);
  loop.poll();
  signal.reset();
  loop.restart();
  loop.poll();
  EXPECT_EQ(*owned, 0);
  EXPECT_EQ(owned.use_count(), 1);
}

}  // namespace
}  // namespace gondolin
