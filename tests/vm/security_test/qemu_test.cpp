// What QEMU, which runs the guest's instructions and so comes first if the guest breaks
// out, may still do on this machine.

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <sstream>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support/shared_vm.hpp"

namespace gondolin::test {
namespace {

using testing::AnyOf;
using testing::HasSubstr;
using testing::Not;

class QemuProcess : public testing::Test {
 protected:
  QemuProcess() {
    static_cast<void>(shared_vm());
    auto children = children_of(::getpid());
    EXPECT_EQ(children.size(), 1U);
    if (!children.empty()) directory_ = "/proc/" + std::to_string(children.front());
  }

  std::string read(const std::string& name) const {
    std::ifstream file(directory_ / name);
    return {std::istreambuf_iterator<char>(file), {}};
  }

  std::filesystem::path directory_;
};

TEST_F(QemuProcess, HasItsSeccompSandboxAndNoPrivileges) {
  for (const auto& thread : std::filesystem::directory_iterator(directory_ / "task")) {
    std::string status = read("task/" + thread.path().filename().string() + "/status");
    EXPECT_THAT(status, HasSubstr("NoNewPrivs:\t1\n"));
    EXPECT_THAT(status, HasSubstr("Seccomp:\t2\n"));
    for (const char* set : {"CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"}) {
      // Only root may shrink the bounding set, and only from root could anything be gained.
      if (set == std::string_view("CapBnd") && ::geteuid() != 0) continue;
      EXPECT_THAT(status, HasSubstr(std::string(set) + ":\t0000000000000000\n"));
    }
  }
}

TEST_F(QemuProcess, HasLimits) {
  std::istringstream limits(read("limits"));
  std::string line;
  int seen = 0;
  while (std::getline(limits, line)) {
    std::istringstream words(line.substr(std::min<std::size_t>(line.size(), 26)));
    std::string soft, hard;
    words >> soft >> hard;
    if (line.starts_with("Max core file size")) {
      EXPECT_EQ(hard, "0");
      ++seen;
    }
    if (line.starts_with("Max open files")) {
      EXPECT_LE(std::stoi(hard), 256);
      ++seen;
    }
  }
  EXPECT_EQ(seen, 2);
}

TEST_F(QemuProcess, IsAUserThatOwnsNothingWhereWeAreRoot) {
  const std::string id = ::geteuid() == 0 ? "65530" : std::to_string(::geteuid());
  EXPECT_THAT(read("status"), HasSubstr("Uid:\t" + id + "\t" + id + "\t" + id + "\t" + id + "\n"));
  if (::geteuid() == 0) EXPECT_THAT(read("status"), HasSubstr("Groups:\t65530 \n"));
}

// Every single descriptor: nothing is there that we have not given it or that is not its own.
TEST_F(QemuProcess, HasOurSocketsTheImageAndTheMemoryOpenAndNothingElse) {
  std::map<std::string, int> seen;
  for (const auto& entry : std::filesystem::directory_iterator(directory_ / "fd")) {
    const std::string number = entry.path().filename().string();
    const std::string target = std::filesystem::read_symlink(entry.path()).string();
    const std::string info = read("fdinfo/" + number);
    const auto flags = std::stoul(info.substr(info.find("flags:") + 6), nullptr, 8);
    const bool read_only = (flags & O_ACCMODE) == O_RDONLY;
    std::string kind = target.substr(0, target.find(':'));
    if (target.starts_with('/')) {
      kind = "unknown " + target;
      if (target == "/dev/null" || target == "/dev/kvm") kind = "device";
      if (target.find("/blobs/") != std::string::npos && read_only) kind = "image";
      if (target.ends_with("/memory") && target.find("/templates/") != std::string::npos)
        kind = "memory";
    }
    ++seen[kind];
  }
  EXPECT_EQ(seen["socket"], 6) << "QMP, console and four ports";
  EXPECT_EQ(seen["pipe"], 1) << "standard error";
  EXPECT_EQ(seen["image"], 4) << "kernel, initramfs, root, and the root as a disk";
  EXPECT_LE(seen["memory"], 2);
  EXPECT_LE(seen["device"], 3);
  EXPECT_LE(seen["anon_inode"], 24) << "eventfds of its own";
  EXPECT_THAT(seen, testing::Each(testing::Key(
                        AnyOf("socket", "pipe", "image", "memory", "device", "anon_inode"))));
}

TEST_F(QemuProcess, HasNoNetworkAndNoMonitorButOurs) {
  std::string command = read("cmdline");
  std::replace(command.begin(), command.end(), '\0', ' ');
  EXPECT_THAT(command, HasSubstr(" -nodefaults "));
  EXPECT_THAT(command, HasSubstr(" -no-user-config "));
  EXPECT_THAT(command, HasSubstr(" -sandbox on,obsolete=deny,elevateprivileges=deny,spawn=deny,"
                                 "resourcecontrol=deny "));
  for (const char* option : {"-netdev", "-nic", "-vnc", "-gdb", "-monitor", "-virtfs", "-usb"})
    EXPECT_THAT(command, Not(HasSubstr(option)));
}

}  // namespace
}  // namespace gondolin::test
