// The two ends that sandboxfs's relay has to do with, for tests: the guest's kernel, with a
// socket of whole messages for /dev/fuse, and the host, with a stream socket for the port. Every
// wait has a deadline.
#pragma once

#include <fcntl.h>
#include <linux/sockios.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <chrono>
#include <condition_variable>
#include <cstdlib>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "base/unique_fd.hpp"
#include "guest/sandboxfs/relay.hpp"
#include "wire/fuse_relay.hpp"
#include "wire/link.hpp"

namespace gondolin::guest {

inline constexpr std::chrono::seconds kPatience{20};

inline std::pair<UniqueFd, UniqueFd> sockets(int type) {
  int ends[2];
  if (::socketpair(AF_UNIX, type | SOCK_CLOEXEC, 0, ends) != 0) std::abort();
  return {UniqueFd(ends[0]), UniqueFd(ends[1])};
}

inline bool readable(int fd) {
  pollfd poll{.fd = fd, .events = POLLIN, .revents = 0};
  return ::poll(&poll, 1, std::chrono::milliseconds(kPatience).count()) == 1;
}

// Whether the other end has yet to read something of what was sent.
inline bool has_unread(int fd) {
  int count = 0;
  EXPECT_EQ(::ioctl(fd, SIOCOUTQ, &count), 0);
  return count > 0;
}

// What the guest's kernel does: it makes and undoes mounts, and it is the other end of each
// device. Requests and answers are those of the latest mount.
class FuseKernel {
 public:
  // To be used by the relay's thread.
  FuseRelay::Mounting mounting() {
    return {.mount = [this] { return mount(); }, .detach = [this] { note("detach"); }};
  }
  void refuse_mounts(int os_error) {
    const std::lock_guard lock(mutex_);
    refusal_ = os_error;
  }

  [[nodiscard]] std::vector<std::string> calls() {
    const std::lock_guard lock(mutex_);
    return calls_;
  }
  [[nodiscard]] bool wait_mounts(std::size_t count) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, kPatience, [&] { return devices_.size() == count; });
  }

  // False when there is no room for another.
  bool request(std::string_view message) {
    return ::send(device(), message.data(), message.size(), MSG_NOSIGNAL | MSG_DONTWAIT) ==
           static_cast<ssize_t>(message.size());
  }
  [[nodiscard]] bool request_waits() { return has_unread(device()); }
  std::string answer() {
    std::string message(2 * wire::kMaxFuseMessage, '\0');
    if (!readable(device())) return "<no answer>";
    const ssize_t count = ::recv(device(), message.data(), message.size(), 0);
    if (count <= 0) return "<no device>";
    message.resize(static_cast<std::size_t>(count));
    return message;
  }
  void unmount() {
    const std::lock_guard lock(mutex_);
    devices_.back().reset();
  }

 private:
  Result<UniqueFd> mount() {
    note("mount");
    auto [theirs, ours] = sockets(SOCK_SEQPACKET);
    EXPECT_EQ(::fcntl(theirs.get(), F_SETFL, O_NONBLOCK), 0);
    const std::lock_guard lock(mutex_);
    if (refusal_ != 0) return fail_errno("mounting", refusal_);
    devices_.push_back(std::move(ours));
    changed_.notify_all();
    return std::move(theirs);
  }
  void note(const char* call) {
    const std::lock_guard lock(mutex_);
    calls_.emplace_back(call);
  }
  int device() {
    const std::lock_guard lock(mutex_);
    return devices_.back().get();
  }

  int refusal_ = 0;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<std::string> calls_;
  std::vector<UniqueFd> devices_;
};

// The host's end of the port, driven by hand. One that is new takes the old one's place on
// the same port, as it does on a copy of a template.
class FuseHost {
 public:
  explicit FuseHost(UniqueFd port) : port_(std::move(port)) { arrive(); }

  void arrive() {
    link_.emplace(wire::Role::kHost, 0);
    send(as_text(wire::Link::renew()));
  }
  // Waits for HELLO.
  [[nodiscard]] bool hello() {
    const auto event = next();
    return event && event->kind == wire::LinkEvent::Kind::kUp;
  }
  void welcome() { send(as_text(link_->welcome())); }

  void frame(wire::FrameHeader header, std::string_view payload) {
    header.length = static_cast<std::uint32_t>(payload.size());
    send(std::string(as_text(wire::encode(header))) + std::string(payload));
  }
  void piece(std::string_view payload, std::uint8_t flags) {
    frame({.type = wire::FrameType::kMessage, .flags = flags}, payload);
  }
  void answer(std::string_view message) {
    while (message.size() > wire::kMaxPayload) {
      piece(message.substr(0, wire::kMaxPayload), wire::kFlagMore);
      message.remove_prefix(wire::kMaxPayload);
    }
    piece(message, 0);
  }
  // The next whole message.
  std::string message() {
    std::string whole;
    while (true) {
      const auto event = next();
      if (!event) return "<no message>";
      if (event->kind != wire::LinkEvent::Kind::kFrame) return "<a handshake>";
      whole += as_text(event->frame.payload);
      if ((event->frame.header.flags & wire::kFlagMore) == 0) return whole;
    }
  }

  // Comes back when the relay has looked at the device after all that was done before: it
  // reads these pieces of a message in two turns, and looks at the device in between. While it
  // waits for WELCOME it skips them.
  [[nodiscard]] bool settle() {
    const auto deadline = std::chrono::steady_clock::now() + kPatience;
    for (int turn = 0; turn < 2; ++turn) {
      piece("", wire::kFlagMore);
      while (has_unread(port_.get())) {
        if (std::chrono::steady_clock::now() > deadline) return false;
        std::this_thread::yield();
      }
    }
    return true;
  }
  void leave() { port_.reset(); }

 private:
  void send(std::string_view bytes) {
    EXPECT_EQ(::send(port_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL),
              static_cast<ssize_t>(bytes.size()));
  }
  std::optional<wire::LinkEvent> next() {
    while (true) {
      auto event = link_->next();
      if (!event) return std::nullopt;
      if (*event) return *event;
      const MutableBytes space = link_->space();
      if (!readable(port_.get())) return std::nullopt;
      const ssize_t count = ::recv(port_.get(), space.data(), space.size(), 0);
      if (count <= 0) return std::nullopt;
      link_->received(static_cast<std::size_t>(count));
    }
  }

  UniqueFd port_;
  std::optional<wire::Link> link_;
};

}  // namespace gondolin::guest
