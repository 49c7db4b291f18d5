// `gondolin exec` gives up what it does not need as soon as its program runs, and does all
// it has to without: it serves, notices that a daemon restarted, and ends QEMU.

#include <signal.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support/command.hpp"

namespace gondolin::test {
namespace {

using testing::ContainsRegex;
using testing::HasSubstr;

#ifndef GONDOLIN_SANITIZED
TEST(ConfinedSession, EveryThreadHasTheFilterAndNoNewPrivileges) {
  BackgroundCommand gondolin(
      {GONDOLIN_PROGRAM, "exec", "--", "sh", "-c", "echo up >&2; sleep 600"});
  gondolin.wait_for_errors("up\n");
  int threads = 0;
  const std::filesystem::path tasks = "/proc/" + std::to_string(gondolin.pid()) + "/task";
  for (const auto& thread : std::filesystem::directory_iterator(tasks)) {
    std::ifstream file(thread.path() / "status");
    const std::string status{std::istreambuf_iterator<char>(file), {}};
    EXPECT_THAT(status, HasSubstr("NoNewPrivs:\t1\n"));
    EXPECT_THAT(status, HasSubstr("Seccomp:\t2\n"));
    ++threads;
  }
  EXPECT_GE(threads, 5) << "main, signals, loop and three streams; one may have ended";

  const std::string report = run({GONDOLIN_PROGRAM, "doctor"}).output;
  EXPECT_THAT(report, ContainsRegex("ok +exec " + std::to_string(gondolin.pid()) +
                                    " +runs as user [0-9]+, seccomp filter, no new privileges"));
  EXPECT_THAT(report,
              ContainsRegex("ok +QEMU " + std::to_string(children_of(gondolin.pid()).front()) +
                            " +runs as user [0-9]+, seccomp filter, no new privileges, no cap"));
}
#endif

TEST(ConfinedSession, ServesAndSurvivesRestartsOfTheFileSystemAndEndsItsQemu) {
  BackgroundCommand gondolin(
      {GONDOLIN_PROGRAM, "exec", "--listen", "--", "sh", "-c",
       "python3 -m http.server 8000 --bind 127.0.0.1 > /dev/null 2>&1 & "
       "kill -9 $(pidof sandboxfs); "
       "until echo '/ :8000' > /etc/gondolin/listeners; do sleep 0.1; done 2> /dev/null; "
       "echo up >&2; sleep 600"});
  const std::string errors = gondolin.wait_for_errors("up\n");
  EXPECT_THAT(errors, HasSubstr("sandboxfs restarted in the guest"));
  const auto at = errors.find("http://");
  const std::string url = errors.substr(at, errors.find('\n', at) - at);
  EXPECT_TRUE(eventually([&] {
    return run({"curl", "-s", "-o", "/dev/null", "-m", "20", "-w", "%{http_code}", url}).output ==
           "200";
  }));
  const auto children = children_of(gondolin.pid());
  ASSERT_EQ(children.size(), 1U);
  gondolin.kill(SIGTERM);
  EXPECT_EQ(gondolin.wait(), 128 + SIGTERM);
  EXPECT_FALSE(process_exists(children.front()));
}

}  // namespace
}  // namespace gondolin::test
