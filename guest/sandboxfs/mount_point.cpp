#include "guest/sandboxfs/mount_point.hpp"

#include <fcntl.h>
#include <linux/magic.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include <cerrno>
#include <string>

namespace gondolin::guest {
namespace {

constexpr const char* kDevice = "/dev/fuse";
constexpr const char* kSource = "gondolin";
constexpr const char* kType = "fuse.gondolin";

// More mounts on top of each other than this are not of our making.
constexpr int kMostMounts = 16;

// Whether what is mounted on top is FUSE, served or not.
bool is_fuse() {
  struct statfs info{};
  if (::statfs(kMountPoint, &info) != 0) return errno == ENOTCONN || errno == ECONNABORTED;
  return info.f_type == FUSE_SUPER_MAGIC;
}

}  // namespace

void detach_mounts() {
  for (int i = 0; i < kMostMounts && is_fuse(); ++i) {
    if (::umount2(kMountPoint, MNT_DETACH | UMOUNT_NOFOLLOW) != 0) return;
  }
}

Result<UniqueFd> mount_fuse() {
  if (::mkdir(kMountPoint, 0755) != 0 && errno != EEXIST) return fail_errno(kMountPoint, errno);
  UniqueFd device(::open(kDevice, O_RDWR | O_NONBLOCK | O_CLOEXEC));
  if (!device.valid()) return fail_errno(kDevice, errno);
  // The guest's kernel enforces the permission bits; everybody may look.
  const std::string options =
      "fd=" + std::to_string(device.get()) +
      ",rootmode=40000,user_id=0,group_id=0,default_permissions,allow_other";
  if (::mount(kSource, kMountPoint, kType, MS_NOSUID | MS_NODEV | MS_NOEXEC, options.c_str()) !=
      0) {
    return fail_errno(std::string("mounting ") + kMountPoint, errno);
  }
  return device;
}

}  // namespace gondolin::guest
