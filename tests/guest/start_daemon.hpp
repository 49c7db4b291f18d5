// Starts a program of the guest's on this machine, as init does in the guest.
#pragma once

#include <spawn.h>
#include <sys/types.h>
#include <unistd.h>

#include <array>
#include <string>

#include <gtest/gtest.h>

namespace gondolin::guest {

// `port` stands in for the program's port. Of our descriptors it gets that one and the first three.
inline pid_t start_daemon(const char* program, int port) {
  constexpr int kPort = 5;
  posix_spawn_file_actions_t actions;
  ::posix_spawn_file_actions_init(&actions);
  // A descriptor that has the number already keeps its flags: go by way of another.
  ::posix_spawn_file_actions_adddup2(&actions, port, kPort + 1);
  ::posix_spawn_file_actions_adddup2(&actions, kPort + 1, kPort);
  for (int fd = STDERR_FILENO + 1; fd < kPort; ++fd)
    ::posix_spawn_file_actions_addclose(&actions, fd);
  ::posix_spawn_file_actions_addclosefrom_np(&actions, kPort + 1);
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
