#include "guest/sandboxmounts/mount.hpp"

#include <fcntl.h>
#include <linux/fuse.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <string>

namespace gondolin::guest {
namespace {

// The largest read that the host answers whole; the kernel takes a shorter answer for
// the end of the file.
constexpr const char* kOptions =
    ",rootmode=40000,user_id=0,group_id=0,default_permissions,allow_other,max_read=65536";

// Dead mounts on top of each other beyond this are not of our making.
constexpr int kMostMounts = 16;

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
  for (int i = 0; i < kMostMounts; ++i) {
    if (::statfs(path, &info) == 0 || (errno != ENOTCONN && errno != ECONNABORTED)) return;
    if (::umount2(path, MNT_DETACH | UMOUNT_NOFOLLOW) != 0) return;
  }
}

// In the process that mounts; its exit status is the errno.
int mount_at(const wire::MountTarget& target, int device) {
  const char* path = target.path.c_str();
  detach_dead_mounts(path);
  if (int os_error = make_directories(target.path)) return os_error;
  const std::string options = "fd=" + std::to_string(device) + kOptions;
  const unsigned long flags =
      MS_NOSUID | MS_NODEV | (target.access == wire::MountAccess::kReadOnly ? MS_RDONLY : 0UL);
  return ::mount("gondolin", path, "fuse.gondolin", flags, options.c_str()) == 0 ? 0 : errno;
}

}  // namespace

Result<Mount::Mounting> Mount::start(const wire::MountTarget& target) {
  Mounting mounting;
  mounting.device.reset(::open("/dev/fuse", O_RDWR | O_NONBLOCK | O_CLOEXEC));
  if (!mounting.device.valid()) return fail_errno("/dev/fuse", errno);
  mounting.pid = ::fork();
  if (mounting.pid < 0) return fail_errno("fork", errno);
  if (mounting.pid == 0) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    ::_exit(mount_at(target, mounting.device.get()));
  }
  mounting.pidfd.reset(static_cast<int>(::syscall(SYS_pidfd_open, mounting.pid, 0)));
  if (mounting.pidfd.valid()) return mounting;
  const int os_error = errno;
  ::kill(mounting.pid, SIGKILL);
  ::waitpid(mounting.pid, nullptr, 0);
  return fail_errno("pidfd_open", os_error);
}

Mount::Mount(wire::Mux& mux, Epoll& epoll, wire::StreamId stream, Mounting mounting)
    : mux_(mux),
      epoll_(epoll),
      stream_(stream),
      mounting_(std::move(mounting)),
      request_(wire::kMaxFuseMessage),
      answers_(sizeof(fuse_out_header)) {}

Mount::~Mount() {
  if (mounting_.pid < 0) return;
  ::kill(mounting_.pid, SIGKILL);
  ::waitpid(mounting_.pid, nullptr, 0);
}

Mount::State Mount::end() {
  mux_.close(stream_, wire::ResetReason::kPeerReset);
  return State::kGone;
}

Mount::State Mount::on_descriptor_event(std::uint32_t) {
  if (mounting_.pid > 0) return on_mounted();
  device_readable_ = true;
  return pump_requests();
}

Mount::State Mount::on_mounted() {
  int status = 0;
  if (::waitpid(mounting_.pid, &status, WNOHANG) != mounting_.pid) return State::kThere;
  mounting_.pid = -1;
  mounting_.pidfd.reset();
  const int os_error = WIFEXITED(status) ? WEXITSTATUS(status) : EIO;
  if (os_error != 0) {
    mux_.refuse(stream_, static_cast<std::uint32_t>(os_error));
    return State::kGone;
  }
  device_ = std::move(mounting_.device);
  device_readable_ = true;
  mux_.accept(stream_);
  const auto tag = static_cast<std::uint32_t>(stream_);
  // The kernel wakes us for each request, and for the end of the mount.
  if (!epoll_.add(device_.get(), EPOLLIN | EPOLLET, tag)) return end();
  return pump_requests();
}

Mount::State Mount::on_stream_event(const wire::MuxEvent& event) {
  switch (event.kind) {
    case wire::MuxEvent::Kind::kReadable:
      return pump_answers();
    case wire::MuxEvent::Kind::kWritable:
      return pump_requests();
    case wire::MuxEvent::Kind::kEnd:
    case wire::MuxEvent::Kind::kReset:
      return end();
    default:
      return State::kThere;
  }
}

Mount::State Mount::pump_requests() {
  while (device_.valid()) {
    if (request_size_ > 0) {
      const Bytes rest = Bytes(request_).first(request_size_).subspan(request_sent_);
      request_sent_ += mux_.write(stream_, rest);
      if (request_sent_ < request_size_) return State::kThere;  // kWritable follows
      request_size_ = request_sent_ = 0;
    }
    if (!device_readable_) return State::kThere;
    const ssize_t count = ::read(device_.get(), request_.data(), request_.size());
    if (count > 0) {
      request_size_ = static_cast<std::size_t>(count);
      continue;
    }
    switch (count == 0 ? ENODEV : errno) {
      case EINTR:
      case ENOENT:  // the request was interrupted as it was read
        continue;
      case EAGAIN:
        device_readable_ = false;
        return State::kThere;
      default:  // ENODEV: somebody has unmounted it
        return end();
    }
  }
  return State::kThere;
}

Mount::State Mount::pump_answers() {
  while (true) {
    const Bytes bytes = mux_.read(stream_);
    if (bytes.empty()) return State::kThere;
    auto taken = answers_.feed(bytes);
    if (!taken) return end();
    mux_.consume(stream_, *taken);
    auto answer = answers_.whole();
    if (!answer) continue;
    // One that is refused is for a request that was given up (ENOENT), or the kernel has
    // failed the request with it (EINVAL). The end of the mount shows in reading.
    while (device_.valid() && ::write(device_.get(), answer->data(), answer->size()) < 0 &&
           errno == EINTR) {
    }
    answers_.drop();
  }
}

}  // namespace gondolin::guest
