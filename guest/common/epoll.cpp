#include "guest/common/epoll.hpp"

#include <cerrno>

namespace gondolin::guest {

Result<Epoll> Epoll::create() {
  UniqueFd fd(::epoll_create1(EPOLL_CLOEXEC));
  if (!fd.valid()) return fail_errno("epoll_create1", errno);
  return Epoll(std::move(fd));
}

Status Epoll::add(int fd, std::uint32_t events, std::uint64_t tag) {
  epoll_event event{.events = events, .data = {.u64 = tag}};
  if (::epoll_ctl(fd_.get(), EPOLL_CTL_ADD, fd, &event) != 0) return fail_errno("epoll_ctl", errno);
  return {};
}

Status Epoll::modify(int fd, std::uint32_t events, std::uint64_t tag) {
  epoll_event event{.events = events, .data = {.u64 = tag}};
  if (::epoll_ctl(fd_.get(), EPOLL_CTL_MOD, fd, &event) != 0) return fail_errno("epoll_ctl", errno);
  return {};
}

void Epoll::remove(int fd) {
  ::epoll_ctl(fd_.get(), EPOLL_CTL_DEL, fd, nullptr);
}

Result<std::span<const epoll_event>> Epoll::wait(std::optional<std::chrono::milliseconds> limit) {
  int timeout = limit ? static_cast<int>(limit->count()) : -1;
  int count = ::epoll_wait(fd_.get(), events_.data(), static_cast<int>(events_.size()), timeout);
  if (count < 0 && errno != EINTR) return fail_errno("epoll_wait", errno);
  return std::span<const epoll_event>(events_.data(), count < 0 ? 0 : static_cast<unsigned>(count));
}

}  // namespace gondolin::guest
