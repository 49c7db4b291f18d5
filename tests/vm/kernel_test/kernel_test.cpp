// Our kernel in a real guest: what a user of a sandbox would miss must be there. The
// image "kernel-test" has it, which the ctest kernel.build makes.

#include <fstream>
#include <iterator>
#include <sstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support/command.hpp"

namespace gondolin::test {
namespace {

constexpr const char* kImage = "kernel-test";

CommandResult guest(const std::string& script, const std::string& input = {},
                    const std::vector<std::string>& options = {}) {
  std::vector<std::string> command = {GONDOLIN_PROGRAM, "exec", "--image", kImage};
  command.insert(command.end(), options.begin(), options.end());
  command.insert(command.end(), {"--", "sh", "-c", script});
  return run(command, input);
}

std::string test_data(const std::string& name) {
  std::ifstream file(std::string(GONDOLIN_TEST_DATA) + "/" + name);
  return {std::istreambuf_iterator<char>(file), {}};
}

TEST(Kernel, HasWhatAUserOfASandboxExpects) {
  const CommandResult result = guest("exec python3 -", test_data("kernel_features.py"));
  ASSERT_EQ(result.status, 0) << result.errors;
  std::istringstream lines(result.output);
  int there = 0;
  std::string line;
  while (std::getline(lines, line) && !line.ends_with(" features")) {
    EXPECT_THAT(line, testing::StartsWith("ok "));
    ++there;
  }
  EXPECT_GE(there, 25);
  EXPECT_EQ(line, std::to_string(there) + " features") << result.output;
}

TEST(Kernel, IsOursAndLoadsNoModules) {
  const CommandResult result = guest("uname -r; wc -l < /proc/modules");
  EXPECT_THAT(result.output, testing::EndsWith("-gondolin\n0\n")) << result.errors;
}

TEST(Kernel, BootsWithoutATemplateToo) {
  EXPECT_EQ(guest("uname -r", {}, {"--no-template"}).status, 0);
}

TEST(Kernel, TheImageSaysWhichItHas) {
  const CommandResult listed = run({GONDOLIN_PROGRAM, "image", "ls"});
  EXPECT_THAT(listed.output, testing::ContainsRegex("kernel-test:latest .* minimal"));
  const CommandResult manifest = run({GONDOLIN_PROGRAM, "image", "inspect", kImage});
  EXPECT_THAT(manifest.output, testing::HasSubstr("\"kernel\": \"minimal\""));
  EXPECT_THAT(manifest.output, testing::HasSubstr("\"source\": \"linux-source-"));
}

TEST(Kernel, IsBuiltOnce) {
  const CommandResult again =
      run({GONDOLIN_PROGRAM, "image", "build", "--kernel", "minimal", "--tag", kImage});
  EXPECT_EQ(again.status, 0) << again.errors;
  EXPECT_EQ(again.errors, "") << "it was built again";
}

}  // namespace
}  // namespace gondolin::test
