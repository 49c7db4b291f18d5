// sandboxfs and sandboxmounts for tests/guest/fake_kernel.hpp: what they are, but for what they
// ask of the kernel, which the test answers.
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <string>
#include <string_view>
#include <utility>

#include "guest/common/program.hpp"
#include "guest/sandboxfs/relay.hpp"
#include "guest/sandboxmounts/mounter.hpp"
#include "guest/sandboxmounts/server.hpp"

namespace gondolin::guest {
namespace {

constexpr int kKernel = 6;  // as start_daemon() has it

// Half of a pair is the device, the other half is the kernel's.
Result<UniqueFd> open_device() {
  std::array<int, 2> ends{};
  constexpr int kType = SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC;
  if (::socketpair(AF_UNIX, kType, 0, ends.data()) != 0) return fail_errno("socketpair", errno);
  UniqueFd ours(ends[0]);
  const UniqueFd theirs(ends[1]);
  char byte = 'd';
  iovec data{.iov_base = &byte, .iov_len = 1};
  alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int))> control{};
  msghdr message{};
  message.msg_iov = &data;
  message.msg_iovlen = 1;
  message.msg_control = control.data();
  message.msg_controllen = control.size();
  cmsghdr* header = CMSG_FIRSTHDR(&message);
  header->cmsg_level = SOL_SOCKET;
  header->cmsg_type = SCM_RIGHTS;
  header->cmsg_len = CMSG_LEN(sizeof(int));
  const int descriptor = theirs.get();
  std::memcpy(CMSG_DATA(header), &descriptor, sizeof(int));
  if (::sendmsg(kKernel, &message, 0) != 1) return fail_errno("the test's kernel", errno);
  return ours;
}

// The first message of a device says where it is to be mounted, and is answered by an errno.
int mount_device(std::string_view path, int device) {
  if (::send(device, path.data(), path.size(), 0) < 0) return errno;
  pollfd answered{.fd = device, .events = POLLIN, .revents = 0};
  while (::poll(&answered, 1, -1) != 1) {
  }
  int os_error = 0;
  if (::recv(device, &os_error, sizeof(os_error), 0) != sizeof(os_error)) return ENODEV;
  return os_error;
}

// Whether there is nothing but the first three, `device`, and the one that looks.
bool has_only(int device) {
  int others = 0;
  for (const auto& entry : std::filesystem::directory_iterator("/proc/self/fd")) {
    const int fd = std::stoi(entry.path().filename());
    if (fd > STDERR_FILENO && fd != device) ++others;
  }
  return others == 1;
}

Status serve_fs(UniqueFd port) {
  auto epoll = Epoll::create();
  if (!epoll) return tl::unexpected(epoll.error());
  const auto mount = []() -> Result<UniqueFd> {
    auto device = open_device();
    if (!device) return device;
    const int os_error = mount_device("/etc/gondolin", device->get());
    if (os_error != 0) return fail_errno("mounting", os_error);
    return device;
  };
  FuseRelay relay(std::move(*epoll), std::move(port), {.mount = mount, .detach = [] {}});
  return relay.serve();
}

Status serve_mounts(UniqueFd port) {
  auto epoll = Epoll::create();
  if (!epoll) return tl::unexpected(epoll.error());
  Mounter mounter(
      {.open_device = open_device, .mount = [](const wire::MountTarget& target, int device) {
         return has_only(device) ? mount_device(target.path, device) : EBUSY;
       }});
  MountsServer server(std::move(*epoll), std::move(port), mounter);
  return server.serve();
}

}  // namespace
}  // namespace gondolin::guest

int main(int argc, char** argv) {
  using namespace gondolin::guest;
  const std::string name = std::filesystem::path(argv[0]).filename();
  return run_on_port(argc, argv, name, name == "sandboxfs" ? serve_fs : serve_mounts);
}
