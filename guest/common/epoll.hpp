// A set of descriptors to wait on. Each is added with a tag, which is all that an
// event says about it.
#pragma once

#include <sys/epoll.h>

#include <array>
#include <chrono>
#include <cstdint>
#include <optional>
#include <span>

#include "base/result.hpp"
#include "base/unique_fd.hpp"

namespace gondolin::guest {

class Epoll {
 public:
  [[nodiscard]] static Result<Epoll> create();

  // `events` as epoll_ctl(2) has them. A descriptor leaves the set when it is closed
  // (and no duplicate of it lives elsewhere), or by remove().
  [[nodiscard]] Status add(int fd, std::uint32_t events, std::uint64_t tag);
  [[nodiscard]] Status modify(int fd, std::uint32_t events, std::uint64_t tag);
  void remove(int fd);

  // Waits for events, for at most `limit` when there is one (0 just looks). The
  // span is empty after the limit or a signal, and valid until the next call.
  [[nodiscard]] Result<std::span<const epoll_event>> wait(
      std::optional<std::chrono::milliseconds> limit);

 private:
  explicit Epoll(UniqueFd fd) : fd_(std::move(fd)) {}

  UniqueFd fd_;
  std::array<epoll_event, 256> events_;
};

}  // namespace gondolin::guest
