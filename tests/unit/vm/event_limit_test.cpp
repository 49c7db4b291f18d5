#include "vm/event_limit.hpp"

#include <gtest/gtest.h>

namespace gondolin::vm {
namespace {

using namespace std::chrono_literals;

TEST(EventLimit, TellsABurstAndThenOneASecondWithTheNumberOfTheOthers) {
  EventLimit limit;
  EventLimit::Time now{1000s};
  for (unsigned i = 0; i < EventLimit::kBurst; ++i)
    EXPECT_EQ(limit.admit(now), 0U);
  for (int i = 0; i < 5; ++i)
    EXPECT_EQ(limit.admit(now + 999ms), std::nullopt);
  EXPECT_EQ(limit.admit(now + 1s), 5U);
  EXPECT_EQ(limit.admit(now + 1s), std::nullopt);
  EXPECT_EQ(limit.admit(now + 2s), 1U);
}

TEST(EventLimit, HasTheWholeBurstAgainAfterAPause) {
  EventLimit limit;
  EventLimit::Time now{1000s};
  for (unsigned i = 0; i < EventLimit::kBurst; ++i)
    ASSERT_TRUE(limit.admit(now));
  now += 1h;
  for (unsigned i = 0; i < EventLimit::kBurst; ++i)
    EXPECT_EQ(limit.admit(now), 0U);
  EXPECT_FALSE(limit.admit(now));
}

}  // namespace
}  // namespace gondolin::vm
