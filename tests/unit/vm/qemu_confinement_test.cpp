// A shell in QEMU's place tries what a guest that broke out would. Everything here holds
// where the tests run as root and where they do not; what only one of the two shows says so.

#include "vm/qemu_confinement.hpp"

#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <fstream>
#include <iterator>
#include <string>
#include <thread>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/landlock.hpp"
#include "support.hpp"

namespace gondolin::vm {
namespace {

using testing::HasSubstr;

class QemuConfinementTest : public testing::Test {
 protected:
  QemuConfinementTest() {
    write("given", "given");
    write("written", "");
    write("other", "secret");
    // The path to it does not keep anybody out; its owner and Landlock do.
    ::chmod(directory_.path().c_str(), 0755);
    ::chmod(file("other").c_str(), 0600);
  }

  [[nodiscard]] std::filesystem::path file(const std::string& name) const {
    return directory_.path() / name;
  }
  void write(const std::string& name, const std::string& content) const {
    std::ofstream(file(name)) << content;
    ::chmod(file(name).c_str(), 0600);
  }
  [[nodiscard]] std::string read(const std::string& name) const {
    std::ifstream stream(file(name));
    return {std::istreambuf_iterator<char>(stream), {}};
  }

  // bash, as QEMU would be started: 3 is "given", to be read, 4 "written", 5 what it prints to.
  [[nodiscard]] ChildOptions confined(const std::string& script, UniqueFd output) const {
    std::vector<QemuFile> files;
    files.push_back(
        {UniqueFd(::open(file("given").c_str(), O_RDONLY | O_CLOEXEC)), QemuFile::Use::kRead});
    files.push_back(
        {UniqueFd(::open(file("written").c_str(), O_RDWR | O_CLOEXEC)), QemuFile::Use::kWrite});
    auto confinement = confine_qemu("/bin/bash", Accelerator::kTcg, files);
    EXPECT_TRUE(confinement) << confinement.error().message;
    ChildOptions options;
    options.program = "/bin/bash";
    options.arguments = {"bash", "-c", script};
    for (QemuFile& each : files)
      options.descriptors.push_back(std::move(each.fd));
    options.descriptors.push_back(std::move(output));
    options.user = confinement->user;
    options.landlock = std::move(confinement->landlock);
    return options;
  }

  // What the script prints to descriptor 5.
  std::string output_of(const std::string& script) {
    std::array<int, 2> ends{};
    EXPECT_EQ(::pipe2(ends.data(), O_CLOEXEC), 0);
    UniqueFd output(ends[0]);
    bool ended = false;
    auto child = ChildProcess::start(loop_.executor(), confined(script, UniqueFd(ends[1])),
                                     [&](ChildExit) { ended = true; });
    EXPECT_TRUE(child) << child.error().message;
    loop_.run_until([&] { return ended; });
    std::string text;
    std::array<char, 4096> buffer{};
    ssize_t count = 0;
    while ((count = ::read(output.get(), buffer.data(), buffer.size())) > 0)
      text.append(buffer.data(), static_cast<std::size_t>(count));
    return text;
  }

  // "done" when the command succeeds, else "denied".
  std::string tries(const std::string& command) {
    return output_of(command + " > /dev/null && echo done >&5 || echo denied >&5");
  }

  static bool as_root() { return ::geteuid() == 0; }

  TemporaryDirectory directory_;
  Loop loop_;
};

TEST_F(QemuConfinementTest, OpensWhatItWasGivenOnceMore) {
  EXPECT_EQ(output_of("cat /proc/self/fd/3 >&5; echo new > /proc/self/fd/4"), "given");
  EXPECT_EQ(read("written"), "new\n");
}

TEST_F(QemuConfinementTest, WritesNothingThatItWasGivenToRead) {
  EXPECT_EQ(output_of("echo new > /proc/self/fd/3 || echo denied >&5"), "denied\n");
  EXPECT_EQ(read("given"), "given");
}

TEST_F(QemuConfinementTest, ReachesNoOtherFile) {
  const std::string outcome = as_root() || Landlock::version() > 0 ? "denied\n" : "done\n";
  const std::string other = file("other").string();
  EXPECT_EQ(tries("cat " + other), outcome);
  EXPECT_EQ(tries("truncate -s 0 " + other), outcome);
  EXPECT_EQ(tries("mkdir " + file("new").string()), outcome);
  EXPECT_EQ(tries("rm " + other), outcome);
}

TEST_F(QemuConfinementTest, ReadsNoFileThatEverybodyMay) {
  const std::string outcome = Landlock::version() > 0 ? "denied\n" : "done\n";
  EXPECT_EQ(tries("cat /etc/passwd"), outcome);
  EXPECT_EQ(tries("cat /proc/version"), outcome);
}

TEST_F(QemuConfinementTest, SignalsNobody) {
  EXPECT_EQ(tries("kill -0 $PPID"), as_root() || Landlock::version() >= 6 ? "denied\n" : "done\n");
}

TEST_F(QemuConfinementTest, ConnectsToNoPort) {
  UniqueFd listener(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t length = sizeof address;
  auto* generic = reinterpret_cast<sockaddr*>(&address);
  ASSERT_EQ(::bind(listener.get(), generic, length), 0);
  ASSERT_EQ(::listen(listener.get(), 1), 0);
  ASSERT_EQ(::getsockname(listener.get(), generic, &length), 0);
  EXPECT_EQ(tries("exec 6<> /dev/tcp/127.0.0.1/" + std::to_string(ntohs(address.sin_port))),
            Landlock::version() >= 4 ? "denied\n" : "done\n");
}

TEST_F(QemuConfinementTest, IsAUserThatOwnsNothingWhereWeAreRoot) {
  const std::string ids = output_of("id -ru >&5; id -rg >&5; id -G >&5");
  if (as_root()) {
    EXPECT_EQ(ids, "65530\n65530\n65530\n");
  } else {
    EXPECT_THAT(ids, HasSubstr(std::to_string(::getuid()) + "\n"));
  }
  struct stat status{};
  for (const char* name : {"given", "written"}) {
    ASSERT_EQ(::stat(file(name).c_str(), &status), 0);
    EXPECT_EQ(status.st_uid, ::geteuid()) << "the file stays ours";
    EXPECT_EQ(status.st_mode & 07, 0U) << "and is nobody else's";
  }
}

TEST_F(QemuConfinementTest, DiesWithTheThreadThatStartedItThoughItIsAnotherUser) {
  std::array<int, 2> ends{};
  ASSERT_EQ(::pipe2(ends.data(), O_CLOEXEC), 0);
  UniqueFd output(ends[0]);
  std::unique_ptr<ChildProcess> child;
  std::thread starter([&] {
    auto started = ChildProcess::start(
        loop_.executor(), confined("echo up >&5; sleep 600", UniqueFd(ends[1])), [](ChildExit) {});
    ASSERT_TRUE(started);
    child = std::move(*started);
    std::array<char, 8> line{};
    EXPECT_EQ(::read(output.get(), line.data(), line.size()), 3);
  });
  starter.join();
  loop_.run_until([&] { return !child->running(); });
  EXPECT_FALSE(child->running());
}

TEST_F(QemuConfinementTest, AProgramThatOnlyWeReachRunsAsUs) {
  ::chmod(directory_.path().c_str(), 0700);
  std::filesystem::copy_file("/bin/true", file("qemu"));
  auto confinement = confine_qemu(file("qemu"), Accelerator::kTcg, {});
  ASSERT_TRUE(confinement);
  EXPECT_FALSE(confinement->user);
}

TEST_F(QemuConfinementTest, CanBeTurnedOff) {
  ScopedEnvironment off("GONDOLIN_CONFINE", "off");
  auto confinement = confine_qemu("/bin/bash", Accelerator::kTcg, {});
  ASSERT_TRUE(confinement);
  EXPECT_FALSE(confinement->user);
  EXPECT_FALSE(confinement->landlock.valid());
}

}  // namespace
}  // namespace gondolin::vm
