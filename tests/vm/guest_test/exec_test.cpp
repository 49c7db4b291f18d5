// Programs in the guest through the API: streams kept apart, whole, and in time.

#include <array>
#include <thread>

#include <gtest/gtest.h>

#include "gondolin/error.hpp"
#include "support/shared_vm.hpp"

namespace gondolin::test {
namespace {

TEST(Exec, KeepsStandardOutputAndErrorApart) {
  CommandResult result = shared_vm().guest("echo out; echo err >&2; exit 3");
  EXPECT_EQ(result.output, "out\n");
  EXPECT_EQ(result.errors, "err\n");
  EXPECT_EQ(result.status, 3);
}

TEST(Exec, PassesEveryByteBothWays) {
  std::string bytes;
  for (int i = 0; i < 3'000'000; ++i)
    bytes += static_cast<char>((i * 7 + i / 256) & 0xff);
  EXPECT_TRUE(shared_vm().guest("cat", bytes).output == bytes);
}

TEST(Exec, TellsTheSignalThatEndedAProgram) {
  EXPECT_EQ(shared_vm().guest("kill -TERM $$").status, 128 + 15);
}

TEST(Exec, SaysThatThereIsNoSuchProgramOrDirectory) {
  ExecOptions no_program;
  no_program.argv = {"no-such-program"};
  ExecOptions no_directory;
  no_directory.argv = {"true"};
  no_directory.cwd = "/no/such/directory";
  for (const ExecOptions& options : {no_program, no_directory}) {
    try {
      static_cast<void>(shared_vm().vm().exec(options));
      ADD_FAILURE() << "started " << options.argv[0];
    } catch (const ApiError& error) {
      EXPECT_EQ(error.code(), ApiErrorCode::kNotFound) << error.what();
    }
  }
}

TEST(Exec, ProgramsHaveTheUsualPriorityAndSandboxdAHigherOne) {
  const std::string nice = shared_vm().guest("nice; ps -o ni= -C sandboxd").output;
  EXPECT_EQ(nice, "0\n-15\n");
}

TEST(Exec, SetsEnvironmentAndDirectory) {
  ExecOptions options;
  options.argv = {"sh", "-c", "echo \"$COLOR $PWD\"; pwd"};
  options.env = {{"COLOR", "green and blue"}};
  options.cwd = "/tmp";
  Process process = shared_vm().vm().exec(options);
  std::array<std::byte, 256> buffer;
  std::string text;
  while (std::size_t count = process.read_stdout(buffer)) {
    text.append(reinterpret_cast<const char*>(buffer.data()), count);
  }
  EXPECT_EQ(text, "green and blue /tmp\n/tmp\n");
  EXPECT_EQ(process.wait().code, 0);
}

TEST(Exec, RunsManyProgramsAtOnce) {
  SharedVm& vm = shared_vm();
  std::vector<std::string> outputs(20);
  {
    std::vector<std::jthread> threads;
    for (std::size_t i = 0; i < outputs.size(); ++i) {
      threads.emplace_back(
          [&, i] { outputs[i] = vm.guest("cat; echo " + std::to_string(i), "in ").output; });
    }
  }
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    EXPECT_EQ(outputs[i], "in " + std::to_string(i) + "\n");
  }
}

TEST(Exec, AProgramThatNobodyReadsHoldsUpNobodyElse) {
  SharedVm& vm = shared_vm();
  ExecOptions flood;
  flood.argv = {"sh", "-c", "yes & yes >&2"};
  Process unread = vm.vm().exec(flood);
  EXPECT_EQ(vm.guest("echo fine").output, "fine\n");
}

TEST(Exec, AForgottenProgramIsEnded) {
  SharedVm& vm = shared_vm();
  {
    ExecOptions options;
    options.argv = {"sleep", "86399"};
    Process forgotten = vm.vm().exec(options);
  }
  EXPECT_TRUE(eventually([&] { return vm.guest("pgrep -fx 'sleep 86399'").status == 1; }));
}

TEST(Exec, AGuestWithoutANetworkCanReachNothing) {
  SharedVm& vm = shared_vm();
  EXPECT_EQ(vm.guest("ls /sys/class/net").output, "lo\n");
}

}  // namespace
}  // namespace gondolin::test
