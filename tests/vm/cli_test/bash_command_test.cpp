// `gondolin bash` on a terminal. Every test boots its own VM.

#include <signal.h>

#include <gtest/gtest.h>

#include "support/command.hpp"
#include "support/terminal_session.hpp"

namespace gondolin::test {
namespace {

const std::string kGondolin = GONDOLIN_PROGRAM;

// The founding document's example, line by line.
TEST(BashCommand, TheQuickStartWorksWordForWord) {
  TerminalSession session({kGondolin, "bash", "--listen"});
  session.expect("Ingress enabled: ");
  std::string url = session.expect("\n");
  url = url.substr(0, url.find_first_of("\r\n"));
  EXPECT_EQ(url.substr(0, 17), "http://127.0.0.1:");
  session.expect("Configure routes by editing /etc/gondolin/listeners inside the VM.");
  session.expect("# ");
  session.type("echo '/ :8000' > /etc/gondolin/listeners\r");
  session.expect("# ");
  session.type("python -m http.server 8000\r");
  session.expect("Serving HTTP on ");
  CommandResult page = run({"curl", "-v", "--max-time", "60", url + "/"});
  EXPECT_NE(page.errors.find("HTTP/1.1 200 OK"), std::string::npos) << page.errors;
  EXPECT_NE(page.output.find("Directory listing for /"), std::string::npos) << page.output;
  session.expect("GET / HTTP/1.1");
  session.type("\x03");
  session.expect("# ");
  session.type("exit 5\r");
  EXPECT_EQ(session.wait(), 5);
  EXPECT_FALSE(session.raw());
}

TEST(BashCommand, IsARealTerminalThatResizesAndCtrlBracketLeaves) {
  TerminalSession session({kGondolin, "bash"});
  session.expect("# ");
  EXPECT_TRUE(session.raw());
  session.type("stty size; tty\r");
  session.expect("40 120");
  session.expect("/dev/pts/");
  session.resize(20, 77);
  session.type("clear; until [ \"$(stty size)\" = '20 77' ]; do :; done; echo resi''zed\r");
  session.expect("resized");
  session.type("\x1d");
  EXPECT_EQ(session.wait(), 0);
  EXPECT_FALSE(session.raw());
}

// The terminal is raw, so it goes back to the first column only when told to, and is not told
// twice before.
TEST(BashCommand, LinesOfOursBeginAtTheFirstColumn) {
  TerminalSession session({"env", "GONDOLIN_DEBUG=ingress", kGondolin, "bash", "--listen"});
  session.expect("Ingress enabled: ");
  const std::string url = session.expect("\n");
  EXPECT_EQ(url.find("\r\r"), url.npos);
  session.expect("# ");
  EXPECT_EQ(
      run({"curl", "--silent", "--max-time", "60", url.substr(0, url.find('\r')) + "/none"}).output,
      "no route\n");
  session.expect("GET /none\r\n");
  session.expect("404 no route\r\n");
  session.type("\x1d");
  EXPECT_EQ(session.wait(), 0);
}

TEST(BashCommand, WhoseProgramIsNotThereExitsWith127) {
  CommandResult result = run({kGondolin, "bash", "--", "no-such-program"});
  EXPECT_EQ(result.status, 127);
  EXPECT_NE(result.errors.find("no-such-program"), std::string::npos) << result.errors;
}

TEST(BashCommand, PutsTheTerminalBackEvenWhenKilled) {
  TerminalSession session({kGondolin, "bash"});
  session.expect("# ");
  ASSERT_TRUE(session.raw());
  session.kill(SIGKILL);
  EXPECT_EQ(session.wait(), 128 + SIGKILL);
  EXPECT_TRUE(eventually([&] { return !session.raw(); }));
}

TEST(BashCommand, WithoutATerminalItReadsAScript) {
  CommandResult result = run({kGondolin, "bash"}, "echo from a script\nexit 4\n");
  EXPECT_EQ(result.output, "from a script\n");
  EXPECT_EQ(result.status, 4);
}

}  // namespace
}  // namespace gondolin::test
