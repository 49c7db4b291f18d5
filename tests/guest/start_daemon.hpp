// Starts a program of the guest's on this machine, as init does in the guest.
#pragma once

#include <fcntl.h>
#include <spawn.h>
#include <sys/types.h>
#include <unistd.h>

#include <array>
#include <optional>
#include <string>

#include <gtest/gtest.h>

#include "base/unique_fd.hpp"

namespace gondolin::guest {

// `port` stands in for the program's port, and `kernel`, when there is one, for what it has of the
// kernel (fake_kernel.hpp): descriptors 5 and 6. Of ours it gets these and the first three.
inline pid_t start_daemon(const char* program, int port, std::optional<int> kernel = {}) {
  constexpr int kPort = 5;
  constexpr int kKernel = 6;
  posix_spawn_file_actions_t actions;
  ::posix_spawn_file_actions_init(&actions);
  // A descriptor that has the number already keeps its flags: go by way of others.
  const auto give = [&](int from, int number) {
    UniqueFd other(::fcntl(from, F_DUPFD_CLOEXEC, kKernel + 1));
    EXPECT_TRUE(other.valid());
    ::posix_spawn_file_actions_adddup2(&actions, other.get(), number);
    return other;
  };
  const UniqueFd port_copy = give(port, kPort);
  const UniqueFd kernel_copy = kernel ? give(*kernel, kKernel) : UniqueFd();
  for (int fd = STDERR_FILENO + 1; fd < kPort; ++fd)
    ::posix_spawn_file_actions_addclose(&actions, fd);
  ::posix_spawn_file_actions_addclosefrom_np(&actions, kernel ? kKernel + 1 : kKernel);
  std::string name = program;
  std::string flag = "--port-fd";
  std::string number = std::to_string(kPort);
  std::array<char*, 4> argv{name.data(), flag.data(), number.data(), nullptr};
  pid_t daemon = -1;
  EXPECT_EQ(::posix_spawn(&daemon, program, &actions, nullptr, argv.data(), environ), 0);
  ::posix_spawn_file_actions_destroy(&actions);
  return daemon;
}

}  // namespace gondolin::guest
