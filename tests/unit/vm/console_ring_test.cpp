#include "vm/console_ring.hpp"

#include <string>

#include <gtest/gtest.h>

namespace gondolin::vm {
namespace {

using Lines = std::vector<std::string>;

TEST(ConsoleRing, KeepsTheLastLinesAndTheUnfinishedOne) {
  ConsoleRing ring(2);
  ring.add(as_bytes("one\r\ntwo\n\nthr"));
  ring.add(as_bytes("ee\nfo"));
  EXPECT_EQ(ring.lines().back(), "fo");
  EXPECT_EQ(ring.lines().at(ring.lines().size() - 2), "three");
}

TEST(ConsoleRing, MakesControlBytesVisible) {
  ConsoleRing ring(4);
  ring.add(as_bytes("\x1b[2Jgone\n"));
  EXPECT_EQ(ring.lines(), (Lines{"\\x1b[2Jgone"}));
}

TEST(ConsoleRing, IsBoundedWhateverComes) {
  ConsoleRing ring(3);
  ring.add(as_bytes(std::string(100'000, 'x')));
  ASSERT_EQ(ring.lines().size(), 1U);
  EXPECT_EQ(ring.lines()[0].size(), ConsoleRing::kMaxLine);
  for (int i = 0; i < 1000; ++i)
    ring.add(as_bytes("line\n"));
  EXPECT_LE(ring.lines().size(), 4U);
}

}  // namespace
}  // namespace gondolin::vm
