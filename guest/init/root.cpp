#include "guest/init/root.hpp"

#include <fcntl.h>
#include <linux/netlink.h>
#include <poll.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <string>

#include "guest/init/files.hpp"
#include "guest/init/loopback.hpp"

namespace gondolin::init {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::chrono::seconds kDiskDeadline{10};

struct Mount {
  const char* type;
  const char* target;
  unsigned long flags;
  const char* options;
};

Status mount(const Mount& what, const char* source = "none") {
  if (auto made = make_directory(what.target); !made) return made;
  if (::mount(source, what.target, what.type, what.flags, what.options) == 0) return {};
  if (errno == EBUSY) return {};  // mounted already, by the kernel
  return fail_errno(std::string("mounting ") + what.type + " on " + what.target, errno);
}

Status move_mount(const char* from, const char* to) {
  if (::mount(from, to, nullptr, MS_MOVE, nullptr) == 0) return {};
  return fail_errno(std::string("moving the mount ") + from, errno);
}

void set_host_name(const Console& console) {
  std::string name = read_file("/etc/hostname").value_or("gondolin");
  name = name.substr(0, name.find_first_of(" \t\n"));
  if (::sethostname(name.data(), name.size()) != 0) console.error("setting the host name failed");
}

}  // namespace

Status mount_kernel_file_systems() {
  constexpr unsigned long kQuiet = MS_NOSUID | MS_NOEXEC | MS_NODEV;
  const Mount mounts[] = {
      {"devtmpfs", "/dev", MS_NOSUID | MS_NOEXEC, "mode=755"},
      {"proc", "/proc", kQuiet, ""},
      {"sysfs", "/sys", kQuiet, ""},
  };
  for (const Mount& each : mounts)
    if (auto mounted = mount(each); !mounted) return mounted;
  return {};
}

Result<DiskWaiter> DiskWaiter::create() {
  UniqueFd socket(
      ::socket(AF_NETLINK, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_KOBJECT_UEVENT));
  if (!socket.valid()) return fail_errno("opening the uevent socket", errno);
  sockaddr_nl address{};
  address.nl_family = AF_NETLINK;
  address.nl_groups = 1;  // the kernel's own events
  if (::bind(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
    return fail_errno("binding the uevent socket", errno);
  return DiskWaiter(std::move(socket));
}

Status DiskWaiter::wait_for(const char* path) const {
  const auto deadline = Clock::now() + kDiskDeadline;
  while (::access(path, F_OK) != 0) {
    const auto left =
        std::chrono::duration_cast<std::chrono::milliseconds>(deadline - Clock::now()).count();
    if (left <= 0)
      return fail(ErrorCode::kTimeout, std::string("the disk ") + path + " did not appear");
    pollfd event{.fd = socket_.get(), .events = POLLIN, .revents = 0};
    ::poll(&event, 1, static_cast<int>(left));
    // Which event it was does not matter, nor whether some were lost: the node is
    // looked for after each batch.
    char discarded[4096];
    while (::recv(socket_.get(), discarded, sizeof discarded, 0) > 0) {
    }
  }
  return {};
}

Result<UniqueFd> switch_root() {
  UniqueFd initramfs(::open("/", O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!initramfs.valid()) return fail_errno("opening the initramfs", errno);

  const Mount lower{"erofs", "/lower", MS_RDONLY | MS_NOATIME, ""};
  const Mount writable{"tmpfs", "/writable", MS_NOATIME, "mode=755,size=50%"};
  const Mount root{"overlay", "/root", MS_NOATIME,
                   "lowerdir=/lower,upperdir=/writable/upper,workdir=/writable/work,"
                   "redirect_dir=on"};
  if (auto done = mount(lower, "/dev/vda"); !done) return tl::unexpected(done.error());
  if (auto done = mount(writable, "tmpfs"); !done) return tl::unexpected(done.error());
  for (const char* directory : {"/writable/upper", "/writable/work"})
    if (auto done = make_directory(directory); !done) return tl::unexpected(done.error());
  if (auto done = mount(root, "overlay"); !done) return tl::unexpected(done.error());

  for (const char* directory : {"/dev", "/proc", "/sys"}) {
    const std::string target = std::string("/root") + directory;
    if (auto done = make_directory(target.c_str()); !done) return tl::unexpected(done.error());
    if (auto done = move_mount(directory, target.c_str()); !done)
      return tl::unexpected(done.error());
  }
  if (::chdir("/root") != 0) return fail_errno("entering the root file system", errno);
  if (auto done = move_mount(".", "/"); !done) return tl::unexpected(done.error());
  if (::chroot(".") != 0 || ::chdir("/") != 0) return fail_errno("changing the root", errno);
  return initramfs;
}

void furnish_root(const Console& console) {
  constexpr unsigned long kData = MS_NOSUID | MS_NODEV;
  const Mount mounts[] = {
      {"tmpfs", "/run", kData, "mode=755,size=10%"},
      {"tmpfs", "/tmp", kData, "mode=1777,size=50%"},
      {"devpts", "/dev/pts", MS_NOSUID | MS_NOEXEC, "gid=5,mode=620,ptmxmode=666"},
      {"tmpfs", "/dev/shm", kData, "mode=1777"},
      {"cgroup2", "/sys/fs/cgroup", kData | MS_NOEXEC, "nsdelegate"},
      // What is there while sandboxfs has nothing mounted over it: a write must fail then, lest
      // it be hidden, and lost, when the host's directory comes back.
      {"tmpfs", "/etc/gondolin", kData | MS_NOEXEC | MS_RDONLY, "mode=755,nr_inodes=1"},
  };
  for (const Mount& each : mounts)
    if (auto mounted = mount(each, each.type); !mounted) console.error(mounted.error().message);

  const struct {
    const char* target;
    const char* path;
  } links[] = {{"/proc/self/fd", "/dev/fd"},
               {"/proc/self/fd/0", "/dev/stdin"},
               {"/proc/self/fd/1", "/dev/stdout"},
               {"/proc/self/fd/2", "/dev/stderr"}};
  for (const auto& link : links)
    if (::symlink(link.target, link.path) != 0 && errno != EEXIST)
      console.error(std::string("making ") + link.path + " failed");

  if (auto made = make_directory("/run/lock"); !made) console.error(made.error().message);
  static_cast<void>(::chmod("/run/lock", 01777));
  set_host_name(console);
  if (auto up = bring_up_loopback(); !up) console.error(up.error().message);
}

}  // namespace gondolin::init
