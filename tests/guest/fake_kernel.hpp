// The guest's kernel, as sandboxfs and sandboxmounts have to do with it and as programs do: it
// mounts, sends what programs ask for to a mount's device, and fails it with ENOTCONN once that
// is closed. The daemons are those of tests/guest/fuse_daemons. A device is a socket of whole
// messages; all of them come through one socket, which the daemon and its successors inherit.
//
// A mount inside another makes the kernel look its name up in that one first.
#pragma once

#include <poll.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <condition_variable>
#include <cstring>
#include <functional>
#include <future>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "base/unique_fd.hpp"
#include "unit/vfs/fuse_guest.hpp"
#include "wire/fuse_relay.hpp"

namespace gondolin::guest {

class FakeKernel {
 public:
  using Done = std::function<void(vfs::FuseReply)>;
  enum class State : std::uint8_t {
    kOpen,    // nothing is said about it yet
    kInit,    // mounted; what is asked waits for the answer to INIT
    kReady,   // and served
    kClosed,  // by the daemon
  };
  // A mount, or what may become one.
  struct Device {
    UniqueFd socket{};
    State state = State::kOpen;
    std::uint64_t unique = 0;
    std::map<std::uint64_t, Done> waiting{};
    std::vector<ByteBuffer> held{};  // until INIT is answered
  };

  FakeKernel() {
    std::array<int, 2> ends{};
    EXPECT_EQ(::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends.data()), 0);
    ours_.reset(ends[0]);
    theirs_.reset(ends[1]);
    thread_ = std::thread([this] { run(); });
  }
  FakeKernel(const FakeKernel&) = delete;
  FakeKernel& operator=(const FakeKernel&) = delete;
  ~FakeKernel() {
    ::shutdown(ours_.get(), SHUT_RDWR);
    thread_.join();
  }

  // For start_daemon().
  [[nodiscard]] int socket() const { return theirs_.get(); }

  // Waits until there is a mount at `path` that is served; null when that takes too long.
  [[nodiscard]] std::shared_ptr<Device> wait_for(const std::string& path) {
    std::unique_lock lock(mutex_);
    const auto there = [&] {
      auto found = mounts_.find(path);
      return found != mounts_.end() && found->second->state == State::kReady &&
             !hung_up(*found->second);
    };
    return changed_.wait_for(lock, kPatience, there) ? mounts_[path] : nullptr;
  }

  // Sends a request and waits for its answer.
  [[nodiscard]] vfs::FuseReply call(Device& device, std::uint32_t opcode, std::uint64_t node,
                                    std::string_view body) {
    const auto answer = std::make_shared<std::promise<vfs::FuseReply>>();
    auto answered = answer->get_future();
    {
      const std::lock_guard lock(mutex_);
      start(device, opcode, node, body,
            [answer](vfs::FuseReply reply) { answer->set_value(std::move(reply)); });
    }
    if (answered.wait_for(kPatience) != std::future_status::ready) return {.error = 999, .body{}};
    return answered.get();
  }
  // What is not answered.
  void forget(Device& device, std::uint64_t node, std::uint64_t count) {
    const std::lock_guard lock(mutex_);
    const fuse_forget_in forget{.nlookup = count};
    send(device, vfs::fuse_message(FUSE_FORGET, ++device.unique, node, vfs::raw(forget)));
  }

 private:
  static constexpr std::chrono::seconds kPatience{20};

  static bool hung_up(const Device& device) {
    pollfd poll{.fd = device.socket.get(), .events = 0, .revents = 0};
    return ::poll(&poll, 1, 0) == 1;
  }

  void run() {
    while (true) {
      std::vector<pollfd> polls{{.fd = ours_.get(), .events = POLLIN, .revents = 0}};
      for (const auto& device : devices_)
        polls.push_back({.fd = device->socket.get(), .events = POLLIN, .revents = 0});
      if (::poll(polls.data(), polls.size(), -1) < 0) continue;
      const std::lock_guard lock(mutex_);
      const auto devices = devices_;
      for (std::size_t i = 0; i < devices.size(); ++i)
        if (polls[i + 1].revents != 0) receive(devices[i]);
      std::erase_if(devices_, [](const auto& one) { return one->state == State::kClosed; });
      if (polls[0].revents != 0 && !accept()) return;
      changed_.notify_all();
    }
  }

  // False at the end.
  bool accept() {
    char byte = 0;
    iovec data{.iov_base = &byte, .iov_len = 1};
    alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int))> control{};
    msghdr message{};
    message.msg_iov = &data;
    message.msg_iovlen = 1;
    message.msg_control = control.data();
    message.msg_controllen = control.size();
    if (::recvmsg(ours_.get(), &message, MSG_CMSG_CLOEXEC) != 1) return false;
    int descriptor = -1;
    std::memcpy(&descriptor, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof(descriptor));
    devices_.push_back(std::make_shared<Device>(Device{.socket = UniqueFd(descriptor)}));
    return true;
  }

  void receive(const std::shared_ptr<Device>& device) {
    std::string message(2 * wire::kMaxFuseMessage, '\0');
    const ssize_t count =
        ::recv(device->socket.get(), message.data(), message.size(), MSG_DONTWAIT);
    // ECONNRESET comes before what was sent.
    if (count < 0 && (errno == EAGAIN || errno == EINTR || errno == ECONNRESET)) return;
    if (count <= 0) return close(*device);
    message.resize(static_cast<std::size_t>(count));
    if (device->state == State::kOpen) return mount(device, message);
    answer(*device, message);
  }

  void close(Device& device) {
    device.state = State::kClosed;
    for (auto& [unique, done] : std::exchange(device.waiting, {}))
      done({.error = ENOTCONN, .body{}});
  }

  void mount(const std::shared_ptr<Device>& device, const std::string& path) {
    const auto above = mounts_.find(path.substr(0, path.rfind('/')));
    if (above == mounts_.end()) return mounted(device, path, 0);
    start(*above->second, FUSE_LOOKUP, vfs::FuseCalls::kRoot,
          vfs::name(path.substr(path.rfind('/') + 1)),
          [=, this](const vfs::FuseReply& reply) { mounted(device, path, reply.error); });
  }
  void mounted(const std::shared_ptr<Device>& device, const std::string& path, int os_error) {
    // Whoever was mounting may be gone.
    if (hung_up(*device)) return;
    ::send(device->socket.get(), &os_error, sizeof(os_error), MSG_NOSIGNAL);
    if (os_error != 0) return;
    mounts_[path] = device;
    device->state = State::kInit;
    start(*device, FUSE_INIT, 0, vfs::raw(vfs::init_body()),
          [&mount = *device](const vfs::FuseReply& reply) {
            if (reply.error != 0) return;
            mount.state = State::kReady;
            for (const ByteBuffer& message : std::exchange(mount.held, {}))
              send(mount, message);
          });
  }

  void start(Device& device, std::uint32_t opcode, std::uint64_t node, std::string_view body,
             Done done) {
    if (device.state == State::kClosed) return done({.error = ENOTCONN, .body{}});
    const std::uint64_t unique = ++device.unique;
    device.waiting[unique] = std::move(done);
    ByteBuffer message = vfs::fuse_message(opcode, unique, node, body);
    if (device.state == State::kReady || opcode == FUSE_INIT) return send(device, message);
    device.held.push_back(std::move(message));
  }
  // To a device that is closed in vain.
  static void send(Device& device, const ByteBuffer& message) {
    if (::send(device.socket.get(), message.data(), message.size(), MSG_NOSIGNAL | MSG_DONTWAIT) <
        0)
      EXPECT_TRUE(errno == EPIPE || errno == ECONNRESET) << errno;
  }
  static void answer(Device& device, const std::string& message) {
    fuse_out_header header{};
    std::memcpy(&header, message.data(), std::min(sizeof(header), message.size()));
    EXPECT_EQ(header.len, message.size());
    auto found = device.waiting.find(header.unique);
    ASSERT_TRUE(found != device.waiting.end()) << header.unique;
    const Done done = std::move(found->second);
    device.waiting.erase(found);
    done({.error = -header.error, .body = message.substr(sizeof(header))});
  }

  UniqueFd ours_;
  UniqueFd theirs_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::map<std::string, std::shared_ptr<Device>> mounts_;  // what is on top at each path
  std::vector<std::shared_ptr<Device>> devices_;           // those that are open; the thread's
  std::thread thread_;
};

// A program that works on files of the mount at a path. Once something has failed, unless it is
// that a file was not there, everything does.
class GuestProgram final : public vfs::FuseCalls {
 public:
  GuestProgram(FakeKernel& kernel, const std::string& path)
      : kernel_(kernel), mount_(kernel.wait_for(path)) {
    EXPECT_NE(mount_, nullptr) << path << " is not mounted";
    if (!mount_) error_ = ENODEV;
  }

  // What has failed, or 0.
  [[nodiscard]] int error() const { return error_; }

  vfs::FuseReply call(std::uint32_t opcode, std::uint64_t node, std::string_view body) override {
    if (error_ != 0) return {.error = error_, .body{}};
    vfs::FuseReply reply = kernel_.call(*mount_, opcode, node, body);
    if (reply.error != ENOENT) error_ = reply.error;
    return reply;
  }
  void forget(std::uint64_t node) {
    if (error_ == 0) kernel_.forget(*mount_, node, 1);
  }

 private:
  FakeKernel& kernel_;
  std::shared_ptr<FakeKernel::Device> mount_;
  int error_ = 0;
};

}  // namespace gondolin::guest
