// Running a program to its end.
#include <csignal>
#include <stop_token>
#include <string>
#include <thread>

#include <gtest/gtest.h>

#include "unit/api/daemon_fixture.hpp"

namespace gondolin {
namespace {

using namespace std::chrono_literals;
using RunTest = testing::DaemonTest;

ApiErrorCode code_of(const std::function<void()>& call) {
  try {
    call();
  } catch (const ApiError& error) {
    return error.code();
  }
  ADD_FAILURE() << "nothing was thrown";
  return {};
}

TEST_F(RunTest, BothStreamsAndTheStatusAreTheResult) {
  RunResult result = run("echo out; echo err >&2; exit 7");
  EXPECT_EQ(result.output, "out\n");
  EXPECT_EQ(result.errors, "err\n");
  EXPECT_EQ(result.status.shell_status(), 7);
  EXPECT_FALSE(result.timed_out);
}

TEST_F(RunTest, TheWholeInputGoesThrough) {
  RunOptions options;
  for (int i = 0; i < 100'000; ++i)
    options.input += std::to_string(i) + "\n";
  RunResult result = run("cat", options);
  EXPECT_TRUE(result.output == options.input);
}

TEST_F(RunTest, AProgramThatReadsNoInputEnds) {
  RunOptions options;
  options.input = std::string(4 * 1024 * 1024, 'x');
  EXPECT_EQ(run("echo done", options).output, "done\n");
}

TEST_F(RunTest, WithoutInputStdinIsAtItsEnd) {
  EXPECT_EQ(run("cat; echo end").output, "end\n");
}

TEST_F(RunTest, OutputBeyondTheBoundIsCountedAndDropped) {
  RunOptions options;
  options.max_output_bytes = 10;
  RunResult result = run("head -c 300000 /dev/zero | tr '\\0' a; printf 12345 >&2", options);
  EXPECT_EQ(result.output, "aaaaaaaaaa");
  EXPECT_EQ(result.output_dropped, 299'990u);
  EXPECT_EQ(result.errors, "12345");
  EXPECT_EQ(result.errors_dropped, 0u);
}

TEST_F(RunTest, ABackgroundProcessThatKeepsTheStreamsDoesNotHoldItUp) {
  EXPECT_EQ(run("sleep 1000 & echo started").output, "started\n");
}

TEST_F(RunTest, ATimeoutKillsAndKeepsWhatWasWritten) {
  RunOptions options;
  options.timeout = 300ms;
  RunResult result = run("echo begun; sleep 1000", options);
  EXPECT_TRUE(result.timed_out);
  EXPECT_EQ(result.output, "begun\n");
  EXPECT_EQ(result.status.signal, SIGKILL);
}

TEST_F(RunTest, AStopEndsItWithCancelled) {
  std::stop_source source;
  std::jthread stopper([&] { source.request_stop(); });
  RunOptions options;
  options.cancel = source.get_token();
  EXPECT_EQ(code_of([&] { static_cast<void>(run("sleep 1000", options)); }),
            ApiErrorCode::kCancelled);
}

TEST_F(RunTest, AStopBeforeItBeginsEndsIt) {
  std::stop_source source;
  source.request_stop();
  RunOptions options;
  options.cancel = source.get_token();
  EXPECT_EQ(code_of([&] { static_cast<void>(run("sleep 1000", options)); }),
            ApiErrorCode::kCancelled);
}

TEST_F(RunTest, AStopAfterTheEndDoesNothing) {
  std::stop_source source;
  RunOptions options;
  options.cancel = source.get_token();
  EXPECT_EQ(run("echo fine", options).output, "fine\n");
  source.request_stop();
  EXPECT_EQ(run("echo still").output, "still\n");
}

}  // namespace
}  // namespace gondolin
