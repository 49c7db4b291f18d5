#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include <cerrno>
#include <string>

#include "guest/sandboxmounts/mounter.hpp"

namespace gondolin::guest {
namespace {

// The largest read that the host answers whole; the kernel takes a shorter answer for
// the end of the file.
constexpr const char* kMountOptions =
    ",rootmode=40000,user_id=0,group_id=0,default_permissions,allow_other,max_read=65536";

// Dead mounts on top of each other beyond this are not of our making.
constexpr int kMostDeadMounts = 16;

// 0, or the errno of what failed.
int make_directories(const std::string& path) {
  for (std::size_t end = 1; end != path.npos;) {
    end = path.find('/', end + 1);
    if (::mkdir(path.substr(0, end).c_str(), 0755) != 0 && errno != EEXIST) return errno;
  }
  return 0;
}

// A predecessor's, whose device was closed.
void detach_dead_mounts(const char* path) {
  struct statfs info{};
  for (int i = 0; i < kMostDeadMounts; ++i) {
    if (::statfs(path, &info) == 0 || (errno != ENOTCONN && errno != ECONNABORTED)) return;
    if (::umount2(path, MNT_DETACH | UMOUNT_NOFOLLOW) != 0) return;
  }
}

Result<UniqueFd> open_fuse_device() {
  UniqueFd device(::open("/dev/fuse", O_RDWR | O_NONBLOCK | O_CLOEXEC));
  if (!device.valid()) return fail_errno("/dev/fuse", errno);
  return device;
}

int mount_at(const wire::MountTarget& target, int device) {
  const char* path = target.path.c_str();
  detach_dead_mounts(path);
  if (int os_error = make_directories(target.path)) return os_error;
  const std::string options = "fd=" + std::to_string(device) + kMountOptions;
  const unsigned long flags =
      MS_NOSUID | MS_NODEV | (target.access == wire::MountAccess::kReadOnly ? MS_RDONLY : 0UL);
  return ::mount("gondolin", path, "fuse.gondolin", flags, options.c_str()) == 0 ? 0 : errno;
}

}  // namespace

Mounter::Mounting fuse_mounting() {
  return {.open_device = open_fuse_device, .mount = mount_at};
}

}  // namespace gondolin::guest
