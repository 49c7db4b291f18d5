// Where the host's directory appears in the guest, and the device through which the
// kernel asks for what is in it.
#pragma once

#include "base/result.hpp"
#include "base/unique_fd.hpp"

namespace gondolin::guest {

inline constexpr const char* kMountPoint = "/etc/gondolin";

// Mounts at kMountPoint, which is made if need be, and returns /dev/fuse, opened for
// this mount and non-blocking. Closing it breaks the mount: operations fail with
// ENOTCONN until detach_mount(). Whoever holds it must not touch kMountPoint.
[[nodiscard]] Result<UniqueFd> mount_fuse();

// Takes mounts of ours that nobody serves away from kMountPoint: a predecessor's, or
// one whose device was closed. Processes that use them keep their broken files; what
// others have mounted there stays.
void detach_mounts();

}  // namespace gondolin::guest
