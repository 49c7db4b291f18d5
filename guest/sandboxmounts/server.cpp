#include "guest/sandboxmounts/server.hpp"

#include <cerrno>
#include <utility>

#include "wire/mounts.hpp"

namespace gondolin::guest {
namespace {

// Beside one message.
constexpr std::uint32_t kWindow = 128 * 1024;

}  // namespace

MountsServer::MountsServer(Epoll epoll, UniqueFd port, Mounter& mounter)
    : StreamServer(std::move(epoll), std::move(port), kWindow), mounter_(mounter) {}

void MountsServer::open(const wire::MuxEvent& event) {
  auto target = wire::decode_mount_target(event.target);
  if (!target) return mux().refuse(event.stream, EPROTO);
  auto started = mounter_.start(*target);
  if (!started) {
    return mux().refuse(event.stream, static_cast<std::uint32_t>(started.error().os_error));
  }
  const auto tag = static_cast<std::uint32_t>(event.stream);
  if (!epoll().add(started->pidfd.get(), EPOLLIN, tag)) {
    mounter_.abandon(started->pid);
    return mux().refuse(event.stream, EIO);
  }
  carry(event.stream, mounter_, std::move(*started));
}

}  // namespace gondolin::guest
