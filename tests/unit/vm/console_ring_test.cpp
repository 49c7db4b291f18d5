#include "vm/console_ring.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace gondolin::vm {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

TEST(ConsoleRing, KeepsTheLastLines) {
  ConsoleRing ring(2);
  ring.add(as_bytes("one\ntwo\nthree\n"));
  EXPECT_THAT(ring.lines(), ElementsAre("two", "three"));
}

TEST(ConsoleRing, JoinsLinesHoweverTheyAreCut) {
  ConsoleRing ring(4);
  for (char byte : std::string_view("ab\r\ncd\n"))
    ring.add(as_bytes(std::string_view(&byte, 1)));
  EXPECT_THAT(ring.lines(), ElementsAre("ab", "cd"));
}

TEST(ConsoleRing, ShowsTheUnfinishedLineLast) {
  ConsoleRing ring(1);
  ring.add(as_bytes("done\nlogin: "));
  EXPECT_THAT(ring.lines(), ElementsAre("done", "login: "));
}

TEST(ConsoleRing, LeavesEmptyLinesOut) {
  ConsoleRing ring(4);
  ring.add(as_bytes("\n\r\n\n"));
  EXPECT_THAT(ring.lines(), IsEmpty());
}

TEST(ConsoleRing, CutsEndlessLines) {
  ConsoleRing ring(4);
  ring.add(as_bytes(std::string(100'000, 'x') + "\n"));
  EXPECT_THAT(ring.lines(), ElementsAre(std::string(ConsoleRing::kMaxLine, 'x')));
}

TEST(ConsoleRing, MakesControlBytesVisible) {
  ConsoleRing ring(4);
  ring.add(as_bytes("\x1b[2Jgotcha\n"));
  EXPECT_THAT(ring.lines(), ElementsAre("\\x1b[2Jgotcha"));
}

}  // namespace
}  // namespace gondolin::vm
