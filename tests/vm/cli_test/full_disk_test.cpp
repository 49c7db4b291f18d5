// Where what we print goes is full (ENOSPC): /dev/full plays the disk.

#include <arpa/inet.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include <filesystem>

#include <gtest/gtest.h>

#include "support/command.hpp"

namespace gondolin::test {
namespace {

const std::string kGondolin = GONDOLIN_PROGRAM;

// A port that was free a moment ago: a gateway that can print nothing cannot tell its own.
int free_port() {
  int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  auto* any = reinterpret_cast<sockaddr*>(&address);
  socklen_t size = sizeof address;
  EXPECT_EQ(::bind(fd, any, size), 0);
  EXPECT_EQ(::getsockname(fd, any, &size), 0);
  ::close(fd);
  return ntohs(address.sin_port);
}

TEST(FullDisk, FailsACommandWhoseOutputIsLost) {
  CommandResult result = run({"sh", "-c", kGondolin + " --version > /dev/full"});
  EXPECT_EQ(result.status, 1);
  EXPECT_EQ(result.errors, "gondolin: cannot write the output: No space left on device\n");
}

TEST(FullDisk, LeavesTheGatewayServing) {
  const std::string listen = "127.0.0.1:" + std::to_string(free_port());
  BackgroundCommand gateway(
      {"sh", "-c",
       "export GONDOLIN_DEBUG=all; exec " + kGondolin + " gateway --listeners " +
           (std::filesystem::temp_directory_path() / "no-such-listeners").string() + " --listen " +
           listen + " > /dev/full 2> /dev/full"});
  EXPECT_TRUE(eventually(
      [&] { return run({"curl", "-s", "http://" + listen + "/"}).output == "no route\n"; }));
  gateway.kill(SIGTERM);
  gateway.wait();
  EXPECT_FALSE(process_exists(gateway.pid()));
}

}  // namespace
}  // namespace gondolin::test
