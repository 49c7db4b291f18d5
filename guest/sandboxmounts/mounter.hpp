// Makes mounts, each in a short-lived process: a path may lead through another mount of ours,
// and whoever touches it waits for an answer that this program has to carry.
//
// Such a process has no device but that of its own mount. A mount ends when its last device is
// closed, and a process that waits for an answer of it waits, once the request was read, until
// then or for ever: one that held the device itself would keep both alive when this program is
// killed. For the same reason nobody ever waits for such a process.
#pragma once

#include <sys/types.h>

#include <functional>
#include <vector>

#include "base/result.hpp"
#include "base/unique_fd.hpp"
#include "wire/mounts.hpp"

namespace gondolin::guest {

class Mounter {
 public:
  // What the kernel does: as fuse_mounting() has it, or what a test puts in its place.
  struct Mounting {
    std::function<Result<UniqueFd>()> open_device;  // non-blocking
    // In the process that mounts, which is single-threaded; 0, or an errno below 256.
    std::function<int(const wire::MountTarget& target, int device)> mount;
  };
  // A process that is mounting: its exit status is what `mount` returned.
  struct Process {
    pid_t pid = -1;
    UniqueFd pidfd;
    UniqueFd device;
  };

  explicit Mounter(Mounting mounting) : mounting_(std::move(mounting)) {}
  Mounter(const Mounter&) = delete;
  Mounter& operator=(const Mounter&) = delete;

  [[nodiscard]] Result<Process> start(const wire::MountTarget& target);
  // Kills the process `pid`, of which nobody wants to know any more. It may take a while to
  // end: until its device, or that of the mount it waits for, is closed.
  void abandon(pid_t pid);

 private:
  void reap();

  Mounting mounting_;
  std::vector<pid_t> abandoned_;  // and not reaped yet
};

// Mounts with mount(2) and /dev/fuse. The path is made with its parents; mounts there that
// nobody serves any more, a predecessor's, are taken away.
[[nodiscard]] Mounter::Mounting fuse_mounting();

}  // namespace gondolin::guest
