#include "io/deadline.hpp"

#include <memory>
#include <vector>

#include <boost/asio/io_context.hpp>
#include <gtest/gtest.h>

namespace gondolin {
namespace {

using namespace std::chrono_literals;

class DeadlineTest : public ::testing::Test {
 protected:
  boost::asio::io_context loop_;
  DeadlineQueue queue_{loop_.get_executor()};
};

TEST_F(DeadlineTest, PassInTheOrderOfTheirTimes) {
  std::vector<int> order;
  Deadline late(queue_, [&] { order.push_back(2); });
  Deadline early(queue_, [&] { order.push_back(1); });
  late.arm(20ms);
  early.arm(5ms);
  loop_.run();
  EXPECT_EQ(order, (std::vector{1, 2}));
}

TEST_F(DeadlineTest, DisarmedNeverPasses) {
  bool passed = false;
  Deadline deadline(queue_, [&] { passed = true; });
  deadline.arm(1ms);
  deadline.disarm();
  loop_.run();
  EXPECT_FALSE(passed);
  EXPECT_FALSE(deadline.armed());
}

TEST_F(DeadlineTest, MovedLaterPassesLaterAndOnce) {
  int passed = 0;
  auto begun = DeadlineQueue::Clock::now();
  Deadline deadline(queue_, [&] { ++passed; });
  deadline.arm(1ms);
  deadline.arm(30ms);
  loop_.run();
  EXPECT_EQ(passed, 1);
  EXPECT_GE(DeadlineQueue::Clock::now() - begun, 30ms);
}

TEST_F(DeadlineTest, MovedEarlierPassesEarlier) {
  auto begun = DeadlineQueue::Clock::now();
  Deadline deadline(queue_, [] {});
  deadline.arm(10s);
  deadline.arm(1ms);
  loop_.run();
  EXPECT_LT(DeadlineQueue::Clock::now() - begun, 5s);
}

TEST_F(DeadlineTest, MayBeArmedAgainFromItsOwnCall) {
  int passed = 0;
  Deadline* self = nullptr;
  Deadline deadline(queue_, [&] {
    if (++passed < 3) self->arm(1ms);
  });
  self = &deadline;
  deadline.arm(1ms);
  loop_.run();
  EXPECT_EQ(passed, 3);
}

TEST_F(DeadlineTest, MayBeDestroyedByItsOwnCall) {
  std::unique_ptr<Deadline> deadline;
  deadline = std::make_unique<Deadline>(queue_, [&] { deadline.reset(); });
  deadline->arm(1ms);
  loop_.run();
  EXPECT_EQ(deadline, nullptr);
}

TEST_F(DeadlineTest, ManyInAnyOrderAllPass) {
  std::vector<std::unique_ptr<Deadline>> deadlines;
  int passed = 0;
  for (int i = 0; i < 200; ++i) {
    deadlines.push_back(std::make_unique<Deadline>(queue_, [&] { ++passed; }));
    deadlines.back()->arm(std::chrono::milliseconds(1 + (i * 7919) % 40));
  }
  for (std::size_t i = 0; i < deadlines.size(); i += 4)
    deadlines[i].reset();
  loop_.run();
  EXPECT_EQ(passed, 150);
}

}  // namespace
}  // namespace gondolin
