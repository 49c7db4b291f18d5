// `scripts/quickstart`, the first of the README's two commands, run a second time:
// everything is built, so it has seconds beyond the boot. The test takes in whatever
// the script leaves behind, and nothing may be left.

#include <sys/prctl.h>
#include <unistd.h>

#include <gtest/gtest.h>

#include "support/command.hpp"
#include "support/terminal_session.hpp"

namespace gondolin::test {
namespace {

const std::string kQuickstart = GONDOLIN_SOURCE_DIR "/scripts/quickstart";
const std::string kPage = "<h1>Hello from inside the VM</h1>";

class Quickstart : public testing::Test {
 protected:
  // Orphans become children of this process, where they are seen.
  void SetUp() override { ASSERT_EQ(::prctl(PR_SET_CHILD_SUBREAPER, 1), 0); }

  void TearDown() override {
    for (int child : children_of(::getpid()))
      EXPECT_TRUE(eventually([&] { return !process_exists(child); })) << "left behind: " << child;
    ::prctl(PR_SET_CHILD_SUBREAPER, 0);
  }
};

TEST_F(Quickstart, PrintsThePageAndItsUrlAndEndsWithoutATerminal) {
  CommandResult result = run({kQuickstart});
  EXPECT_EQ(result.status, 0) << result.errors;
  EXPECT_NE(result.output.find("http://127.0.0.1:"), std::string::npos) << result.output;
  EXPECT_NE(result.output.find(kPage), std::string::npos) << result.output;
}

TEST_F(Quickstart, LeavesAPersonInTheShellWithTheUrlWorking) {
  TerminalSession session({kQuickstart});
  session.expect("Fetched http://");
  std::string url = session.expect(" ");
  url = "http://" + url.substr(0, url.find(' '));
  session.expect(kPage);
  session.expect("# ");
  session.type("echo in the VM: $(cat /etc/gondolin/listeners)\r");
  session.expect("in the VM: / :8000");
  CommandResult page = run({"curl", "-s", "--max-time", "60", url + "/"});
  EXPECT_EQ(page.output, kPage + "\n");
  session.expect("# ");
  session.type("exit 3\r");
  EXPECT_EQ(session.wait(), 3);
  EXPECT_FALSE(session.raw());
}

}  // namespace
}  // namespace gondolin::test
