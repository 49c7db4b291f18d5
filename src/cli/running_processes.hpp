// The processes of ours that run on this machine, and what confines each, read from /proc.
#pragma once

#include <string>
#include <vector>

namespace gondolin::cli {

struct RunningProcess {
  int pid = 0;
  std::string what;  // "gateway", "exec", "bash" or "QEMU"
  std::string user;  // its effective user's number
  bool no_new_privileges = false;
  bool seccomp = false;       // every thread has a filter
  bool capabilities = false;  // it has some
};

// Those that this user may see, by their number. One that ends meanwhile is left out.
[[nodiscard]] std::vector<RunningProcess> running_processes();

}  // namespace gondolin::cli
