// The guest's daemons may be killed at any time: they come back and work goes on.

#include <algorithm>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support/shared_vm.hpp"

namespace gondolin::test {
namespace {

class Daemons : public testing::Test {
 protected:
  // Kills a daemon in the guest and waits until the host has said that it is back.
  void kill_daemon(const std::string& name) {
    auto restarts = [&] {
      auto events = vm_.events();
      return std::count_if(events.begin(), events.end(), [&](const std::string& event) {
        return event.find(name) != std::string::npos && event.find("restart") != std::string::npos;
      });
    };
    auto before = restarts();
    // The shell itself dies with sandboxd, so its end is not looked at.
    try {
      static_cast<void>(vm_.guest("kill -9 $(pidof " + name + " || pgrep -x " + name + ")"));
    } catch (const std::exception&) {
    }
    EXPECT_TRUE(eventually([&] { return restarts() > before; })) << name;
  }

  SharedVm& vm_ = shared_vm();
};

TEST_F(Daemons, SandboxingressComesBackAndServes) {
  vm_.upload("backend.py");
  vm_.serve("python /root/backend.py 127.0.0.1 7200", 7200);
  vm_.route({{"/", 7200}});
  EXPECT_EQ(vm_.curl("/one").output, "/one");
  kill_daemon("sandboxingress");
  EXPECT_EQ(vm_.curl("/two").output, "/two");
}

TEST_F(Daemons, SandboxfsComesBackWithTheSameFiles) {
  vm_.route({{"/", 7201}, {"/kept", 7202}});
  std::string before = vm_.guest("cat /etc/gondolin/listeners").output;
  kill_daemon("sandboxfs");
  EXPECT_TRUE(
      eventually([&] { return vm_.guest("cat /etc/gondolin/listeners").output == before; }));
  vm_.route({{"/", 7203}});
}

// What is seen between the end of sandboxfs and its successor's mount, here in a namespace of
// mounts in which there is none.
TEST_F(Daemons, WithoutSandboxfsNothingIsWrittenThatWouldBeLost) {
  const CommandResult write = vm_.guest(
      "unshare --mount sh -c 'umount /etc/gondolin && ls -A /etc/gondolin && "
      "echo / :7204 > /etc/gondolin/listeners'");
  EXPECT_NE(write.status, 0);
  EXPECT_EQ(write.output, "");
  EXPECT_THAT(write.errors, testing::HasSubstr("Read-only file system"));
}

TEST_F(Daemons, SandboxdComesBackAndRunsPrograms) {
  kill_daemon("sandboxd");
  EXPECT_EQ(vm_.guest("echo again").output, "again\n");
}

}  // namespace
}  // namespace gondolin::test
