// A program that runs: its asynchronous calls, and its end at every moment.
#include <atomic>
#include <csignal>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "unit/api/daemon_fixture.hpp"

namespace gondolin {
namespace {

using testing::Answer;
using ProcessTest = testing::DaemonTest;

TEST_F(ProcessTest, ReadsWritesAndWaitsWithoutAThread) {
  Process process = start("read line; echo \"got $line\"; echo oops >&2; exit 3");
  Answer<bool> written;
  process.async_write_stdin("hello\n", written.completion());
  EXPECT_TRUE(written.get().value());
  Answer<std::string> output;
  process.async_read_stdout(100, output.completion());
  EXPECT_EQ(output.get().value(), "got hello\n");
  Answer<std::string> errors;
  process.async_read_stderr(100, errors.completion());
  EXPECT_EQ(errors.get().value(), "oops\n");
  Answer<ExitStatus> exit;
  process.async_wait(exit.completion());
  EXPECT_EQ(exit.get().value().code, 3);
  Answer<std::string> end;
  process.async_read_stdout(100, end.completion());
  EXPECT_EQ(end.get().value(), "");
}

TEST_F(ProcessTest, AReadTakesNoMoreThanAskedFor) {
  Process process = start("printf abcdef");
  std::string all;
  for (int i = 0; i < 3; ++i) {
    Answer<std::string> part;
    process.async_read_stdout(2, part.completion());
    std::string bytes = part.get().value();
    EXPECT_LE(bytes.size(), 2u);
    all += bytes;
  }
  EXPECT_EQ(all, "abcdef");
}

TEST_F(ProcessTest, ASecondReadOfOneStreamIsRefused) {
  Process process = start("cat");
  Answer<std::string> first;
  Answer<std::string> second;
  process.async_read_stdout(10, first.completion());
  process.async_read_stdout(10, second.completion());
  EXPECT_EQ(second.get().error().code(), ApiErrorCode::kInvalidArgument);
  Answer<bool> written;
  process.async_write_stdin("x", written.completion());
  EXPECT_EQ(first.get().value(), "x");
}

TEST_F(ProcessTest, StdinEndsBehindTheWriteInProgress) {
  Process process = start("wc -c");
  Answer<bool> written;
  process.async_write_stdin(std::string(1024 * 1024, 'x'), written.completion());
  process.close_stdin();
  EXPECT_TRUE(written.get().value());
  Answer<std::string> count;
  process.async_read_stdout(100, count.completion());
  EXPECT_EQ(count.get().value(), "1048576\n");
  Answer<bool> late;
  process.async_write_stdin("more", late.completion());
  EXPECT_FALSE(late.get().value());
}

TEST_F(ProcessTest, EveryoneWhoWaitsHearsOfTheEnd) {
  Process process = start("read line; exit 4");
  std::vector<Answer<ExitStatus>> answers(5);
  for (auto& answer : answers)
    process.async_wait(answer.completion());
  std::jthread blocking([&] { EXPECT_EQ(process.wait().code, 4); });
  process.close_stdin();
  for (auto& answer : answers)
    EXPECT_EQ(answer.get().value().code, 4);
}

TEST_F(ProcessTest, KillEndsWhatIsInProgress) {
  Process process = start("exec sleep 1000");
  Answer<std::string> read;
  Answer<bool> written;
  Answer<ExitStatus> waited;
  process.async_read_stdout(10, read.completion());
  process.async_write_stdin(std::string(1024 * 1024, 'x'), written.completion());
  process.async_wait(waited.completion());
  process.kill();
  EXPECT_EQ(read.get().value(), "");
  EXPECT_FALSE(written.get().value());
  EXPECT_EQ(waited.get().error().code(), ApiErrorCode::kCancelled);
}

TEST_F(ProcessTest, BlockingInACompletionIsRefused) {
  Process process = start("exit 0");
  Answer<ExitStatus> answer;
  process.async_wait([&process, done = answer.completion()](Outcome<ExitStatus>) {
    try {
      done(process.wait());
    } catch (const ApiError& error) {
      done(error);
    }
  });
  EXPECT_EQ(answer.get().error().code(), ApiErrorCode::kInvalidArgument);
}

TEST_F(ProcessTest, ACompletionMayDestroyTheProcessItCameFrom) {
  auto process = std::make_shared<Process>(start("exit 5"));
  Answer<ExitStatus> answer;
  process->async_wait([process, done = answer.completion()](Outcome<ExitStatus> exit) mutable {
    process.reset();
    done(std::move(exit));
  });
  process.reset();
  EXPECT_EQ(answer.get().value().code, 5);
}

// What may be in progress when it is destroyed.
enum class Busy { kNothing, kReading, kWriting, kWaiting, kAll, kEnded };

class ProcessDestroyed : public testing::DaemonTest, public ::testing::WithParamInterface<Busy> {};

TEST_P(ProcessDestroyed, EveryCompletionIsCalledOnce) {
  const Busy busy = GetParam();
  const bool all = busy == Busy::kAll;
  for (int round = 0; round < 20; ++round) {
    auto process =
        std::make_unique<Process>(start(busy == Busy::kEnded ? "exit 0" : "exec sleep 1000"));
    Answer<std::string> read;
    Answer<bool> written;
    Answer<ExitStatus> waited;
    if (busy == Busy::kEnded) process->wait();
    if (all || busy == Busy::kReading) process->async_read_stdout(10, read.completion());
    if (all || busy == Busy::kWriting) {
      process->async_write_stdin(std::string(1024 * 1024, 'x'), written.completion());
    }
    if (all || busy == Busy::kWaiting) process->async_wait(waited.completion());
    std::jthread destroyer([&] { process.reset(); });
    if (all || busy == Busy::kReading) EXPECT_EQ(read.get().value(), "");
    if (all || busy == Busy::kWriting) EXPECT_FALSE(written.get().value());
    if (all || busy == Busy::kWaiting) {
      EXPECT_EQ(waited.get().error().code(), ApiErrorCode::kCancelled);
    }
    destroyer.join();
    EXPECT_LE(read.calls(), 1);
    EXPECT_LE(written.calls(), 1);
    EXPECT_LE(waited.calls(), 1);
  }
}

INSTANTIATE_TEST_SUITE_P(InEveryState, ProcessDestroyed,
                         ::testing::Values(Busy::kNothing, Busy::kReading, Busy::kWriting,
                                           Busy::kWaiting, Busy::kAll, Busy::kEnded));

TEST_F(ProcessTest, TheLoopEndsWithTheLastProcessAndItsCalls) {
  Answer<std::string> read;
  Answer<ExitStatus> waited;
  {
    Process process = start("exec sleep 1000");
    process.async_read_stdout(10, read.completion());
    process.async_wait(waited.completion());
    let_go();
  }
  EXPECT_EQ(read.calls(), 1);
  EXPECT_EQ(waited.calls(), 1);
}

}  // namespace
}  // namespace gondolin
