// `gondolin exec`, as a shell script uses it. Every test boots its own VM.

#include <signal.h>

#include <algorithm>
#include <cstdlib>

#include <gtest/gtest.h>

#include "support/command.hpp"

namespace gondolin::test {
namespace {

const std::string kGondolin = GONDOLIN_PROGRAM;

TEST(ExecCommand, PassesOnTheExitStatusAndKeepsTheStreamsApart) {
  std::string input(1'000'000, '\0');
  for (std::size_t i = 0; i < input.size(); ++i)
    input[i] = static_cast<char>(i * 13);
  CommandResult result = run({kGondolin, "exec", "--env", "A=b c", "--cwd", "/tmp", "--", "sh",
                              "-c", "cat; echo \"$A $PWD\" >&2; exit 7"},
                             input);
  EXPECT_EQ(result.status, 7) << result.errors;
  EXPECT_TRUE(result.output == input);
  EXPECT_NE(result.errors.find("b c /tmp\n"), std::string::npos) << result.errors;
}

TEST(ExecCommand, ExitsWith127WhenThereIsNoSuchProgram) {
  CommandResult result = run({kGondolin, "exec", "--", "no-such-program"});
  EXPECT_EQ(result.status, 127);
  EXPECT_NE(result.errors.find("no-such-program"), std::string::npos) << result.errors;
}

TEST(ExecCommand, SaysAtMostOnceThatItRunsUnderEmulation) {
  CommandResult result = run({kGondolin, "exec", "--accel", "tcg", "--", "true"});
  EXPECT_EQ(result.status, 0) << result.errors;
  auto lines = std::count(result.errors.begin(), result.errors.end(), '\n');
  EXPECT_LE(lines, 1) << result.errors;
}

TEST(ExecCommand, RefusesABadListenValueBeforeAnyVmStarts) {
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"127.0.0.1:x", "Invalid --listen value: 127.0.0.1:x ("},
      {":99999", "Invalid --listen value: :99999 ("},
      {"::1:80", "[::1]:80"},
  };
  for (const auto& [value, expected] : cases) {
    CommandResult result =
        run({kGondolin, "exec", "--listen", value, "--", "true"}, {}, std::chrono::seconds(10));
    EXPECT_EQ(result.status, 1) << value;
    EXPECT_NE(result.errors.find(expected), std::string::npos) << result.errors;
    EXPECT_EQ(std::count(result.errors.begin(), result.errors.end(), '\n'), 1) << result.errors;
  }
}

// None of it gets as far as a VM.
TEST(ExecCommand, RefusesWhatMayBeATypingMistake) {
  struct Row {
    std::vector<std::string> arguments;
    int status;
    std::string expected;
  };
  const std::vector<Row> rows = {
      {{"--listen", "ls"}, 1, "Invalid --listen value: ls ("},
      {{"--listen"}, 2, "name the program to run, behind --"},
      {{"ls", "-la"}, 2, "-la (what the guest is to run stands behind --)"},
      {{"--mount", "/tmp:/x:RO", "--", "true"}, 1, "Invalid --mount value: /tmp:/x:RO ("},
      {{"--accel", "2", "--", "true"}, 2, "--accel: 2 not in {auto,kvm,tcg}"},
      {{"--ingress-host", "a.example", "--", "true"}, 2, "--ingress-host requires --listen"},
  };
  for (const Row& row : rows) {
    std::vector<std::string> command = {kGondolin, "exec"};
    command.insert(command.end(), row.arguments.begin(), row.arguments.end());
    CommandResult result = run(command, {}, std::chrono::seconds(10));
    EXPECT_EQ(result.status, row.status) << row.expected;
    EXPECT_NE(result.errors.find(row.expected), std::string::npos) << result.errors;
    EXPECT_EQ(std::count(result.errors.begin(), result.errors.end(), '\n'), 1) << result.errors;
  }
}

TEST(ExecCommand, AReaderThatGoesAwayEndsTheProgram) {
  CommandResult result = run({"sh", "-c", kGondolin + " exec -- yes | head -n 1"});
  EXPECT_EQ(result.output, "y\n");
  EXPECT_EQ(result.status, 0);
}

TEST(ExecCommand, ListenServesAndAnnouncesItself) {
  BackgroundCommand exec({kGondolin, "exec", "--listen", "127.0.0.1:0", "--", "sh", "-c",
                          "echo '/ :8000' > /etc/gondolin/listeners; cd /usr/share; "
                          "exec python -m http.server 8000"});
  std::string errors =
      exec.wait_for_errors("Configure routes by editing /etc/gondolin/listeners inside the VM.\n");
  auto start = errors.find("Ingress enabled: http://127.0.0.1:");
  ASSERT_NE(start, std::string::npos) << errors;
  std::string url = errors.substr(start + 17, errors.find('\n', start) - start - 17);
  if (!url.empty() && url.back() == '\r') url.pop_back();
  EXPECT_TRUE(eventually(
      [&] { return run({"curl", "-s", "-f", "-o", "/dev/null", url + "/"}).status == 0; }));
  exec.kill(SIGTERM);
  EXPECT_EQ(exec.wait(), 128 + SIGTERM);
}

TEST(ExecCommand, KilledWithoutWarningItLeavesNoQemuBehind) {
  BackgroundCommand exec({kGondolin, "exec", "--listen", "127.0.0.1:0", "--", "sleep", "1000"});
  exec.wait_for_errors("Configure routes");
  std::vector<int> children = children_of(exec.pid());
  ASSERT_FALSE(children.empty());
  exec.kill(SIGKILL);
  exec.wait();
  for (int child : children)
    EXPECT_TRUE(eventually([&] { return !process_exists(child); }));
}

TEST(ExecCommand, CtrlCWhileItBootsLeavesNothingBehind) {
  BackgroundCommand exec({kGondolin, "exec", "--", "sleep", "1000"});
  std::vector<int> children;
  ASSERT_TRUE(eventually([&] { return !(children = children_of(exec.pid())).empty(); }));
  exec.kill(SIGINT);
  EXPECT_EQ(exec.wait(), 128 + SIGINT) << exec.errors();
  for (int child : children)
    EXPECT_TRUE(eventually([&] { return !process_exists(child); }));
}

}  // namespace
}  // namespace gondolin::test
