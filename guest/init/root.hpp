// From the initramfs to the root file system of the image.
#pragma once

#include "base/result.hpp"
#include "base/unique_fd.hpp"
#include "guest/init/console.hpp"

namespace gondolin::init {

// Mounts /dev, /proc and /sys: the least that init itself needs.
[[nodiscard]] Status mount_kernel_file_systems();

// Watches for block devices from the moment it is made, so that one that appears
// between the look and the wait is not missed.
class DiskWaiter {
 public:
  [[nodiscard]] static Result<DiskWaiter> create();

  // Returns once the device node `path` exists; kTimeout after ten seconds.
  [[nodiscard]] Status wait_for(const char* path) const;

 private:
  explicit DiskWaiter(UniqueFd socket) : socket_(std::move(socket)) {}
  UniqueFd socket_;
};

// Mounts /dev/vda (EROFS, read-only) under a tmpfs overlay and makes it "/", with
// /dev, /proc and /sys moved along. Returns the root directory of the initramfs,
// which no path leads to any more. Half done it cannot be undone: an error means
// that the machine cannot start.
[[nodiscard]] Result<UniqueFd> switch_root();

// The rest of what a Debian system expects below "/": /run, /tmp, /dev/pts,
// /dev/shm, /sys/fs/cgroup, /dev/fd, the host name, a loopback that is up,
// /etc/gondolin. What fails is reported and left out.
void furnish_root(const Console& console);

}  // namespace gondolin::init
