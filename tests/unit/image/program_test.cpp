#include "image/program.hpp"

#include <signal.h>

#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace gondolin::image {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

struct Outcome {
  Result<int> status;
  std::vector<std::string> log;
  std::vector<std::string> stages;
};

Outcome run(const std::string& script, const Cancelled& cancelled = {}) {
  Outcome outcome{.status = 0, .log = {}, .stages = {}};
  outcome.status = run_program(
      {.arguments = {"sh", "-c", script}, .environment = {"PATH=/usr/bin:/bin", "COLOUR=blue"}},
      {.log = [&](std::string_view line) { outcome.log.emplace_back(line); },
       .stage = [&](std::string_view line) { outcome.stages.emplace_back(line); }},
      cancelled);
  return outcome;
}

TEST(Program, ItsOutputComesInLinesAndItsStagesApart) {
  const Outcome outcome = run("echo out; echo Begin >&3; echo error >&2; printf 'a\\rb\\n\\nend'");
  EXPECT_EQ(outcome.status, 0);
  EXPECT_THAT(outcome.log, ElementsAre("out", "error", "a", "b", "end"));
  EXPECT_THAT(outcome.stages, ElementsAre("Begin"));
}

TEST(Program, ItsStatusComesBack) {
  EXPECT_EQ(run("exit 7").status, 7);
  EXPECT_EQ(run("kill -9 $$").status, 128 + 9);
}

TEST(Program, ItSeesOnlyTheEnvironmentItWasGiven) {
  ::setenv("GONDOLIN_TEST_SECRET", "x", 1);
  EXPECT_THAT(run("echo $COLOUR$GONDOLIN_TEST_SECRET; umask; cat | wc -c").log,
              ElementsAre("blue", "0022", "0"));
  ::unsetenv("GONDOLIN_TEST_SECRET");
}

TEST(Program, CancellingKillsItWithAllItStarted) {
  std::string children;
  bool cancel = false;
  Outcome outcome{.status = 0, .log = {}, .stages = {}};
  outcome.status = run_program({.arguments = {"sh", "-c", "sleep 1000 & echo $! $$; wait"},
                                .environment = {"PATH=/usr/bin:/bin"}},
                               {.log =
                                    [&](std::string_view line) {
                                      children = line;
                                      cancel = true;
                                    },
                                .stage = {}},
                               [&] { return cancel; });
  EXPECT_EQ(outcome.status.error().code, ErrorCode::kCancelled);
  // run_program() returned only after both pipes had ended, so the child is gone.
  EXPECT_NE(children.find(' '), std::string::npos);
}

TEST(Program, AMissingProgramIsNamed) {
  const auto status = run_program({.arguments = {"no-such-program"}, .environment = {}}, {}, {});
  EXPECT_EQ(status.error().code, ErrorCode::kUnavailable);
  EXPECT_THAT(status.error().message, HasSubstr("no-such-program"));
}

}  // namespace
}  // namespace gondolin::image
