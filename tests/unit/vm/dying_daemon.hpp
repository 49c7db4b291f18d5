// A program of the guest's that dies at a chosen message: for tests of what its host sees.
//
// A thread stands between the host's socket and the port of a real daemon and passes whole
// frames on. At the chosen one it kills the daemon and starts another on the same port, as
// init does: what it has not read is its successor's to skip, what it has written arrives,
// unless it was to die before that.
#pragma once

#include <linux/sockios.h>
#include <poll.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <functional>
#include <string>
#include <string_view>
#include <thread>
#include <utility>

#include <gtest/gtest.h>

#include "base/unique_fd.hpp"
#include "support.hpp"
#include "wire/frame_reader.hpp"

namespace gondolin::vm {

class DyingDaemon {
 public:
  // Where in the life of a message the daemon dies. kWithin counts messages of the host's
  // only: the guest's kernel takes each of the daemon's whole or not at all.
  enum class Death : std::uint8_t {
    kBefore,  // before it has read the message, or before it has sent it
    kWithin,  // it has read the first half
    kAfter,   // it has read or sent it
  };

  // Starts a daemon on its port.
  using Start = std::function<pid_t(int port)>;

  // `at` counts the messages of both ends, those of the handshake too, from 0.
  DyingDaemon(Start start, std::size_t at, Death death)
      : start_(std::move(start)), at_(at), death_(death) {
    auto [ours, theirs] = make_socket_pair();
    host_ = std::move(ours);
    port_of_host_ = std::move(theirs);
    auto [near, far] = make_socket_pair();
    guest_ = std::move(near);
    port_of_daemon_ = std::move(far);
    start_daemon();
    thread_ = std::thread([this] { serve(); });
  }
  DyingDaemon(const DyingDaemon&) = delete;
  DyingDaemon& operator=(const DyingDaemon&) = delete;
  ~DyingDaemon() {
    ::shutdown(host_.get(), SHUT_RDWR);
    thread_.join();
    kill();
  }

  // The host's end of the port, once.
  [[nodiscard]] UniqueFd take_port() { return std::move(port_of_host_); }

  [[nodiscard]] bool died() const { return died_; }
  // Whether the daemon that runs has greeted the host, and how many have so far.
  [[nodiscard]] bool greeted() const { return greeted_; }
  [[nodiscard]] unsigned greetings() const { return greetings_; }

 private:
  enum class Way : std::uint8_t { kToGuest, kToHost };

  void start_daemon() { daemon_ = start_(port_of_daemon_.get()); }
  void kill() {
    ::kill(daemon_, SIGKILL);
    ::waitpid(daemon_, nullptr, 0);
  }
  // What becomes of that which the daemon has written and nobody has read yet.
  enum class Written : std::uint8_t { kArrives, kIsLost };
  void replace(Written written) {
    lost_ = written == Written::kIsLost;
    kill();
    bool whole = pass_frames(Way::kToHost, from_guest_);
    while (whole && readable())
      whole = pass_on(Way::kToHost, guest_.get(), from_guest_);
    lost_ = dying_ = false;
    start_daemon();
  }
  bool readable() {
    pollfd poll{.fd = guest_.get(), .events = POLLIN, .revents = 0};
    return ::poll(&poll, 1, 0) == 1;
  }

  void serve() {
    while (true) {
      std::array<pollfd, 2> polls{pollfd{.fd = host_.get(), .events = POLLIN, .revents = 0},
                                  pollfd{.fd = guest_.get(), .events = POLLIN, .revents = 0}};
      if (::poll(polls.data(), polls.size(), -1) < 0) continue;
      if (polls[0].revents != 0 && !pass_on(Way::kToGuest, host_.get(), from_host_)) return;
      if (polls[1].revents != 0 && !pass_on(Way::kToHost, guest_.get(), from_guest_)) return;
    }
  }
  // False at the end of the host's.
  bool pass_on(Way way, int from, wire::FrameReader& reader) {
    const MutableBytes space = reader.space();
    const ssize_t count = ::recv(from, space.data(), space.size(), 0);
    if (count <= 0) return false;
    reader.received(static_cast<std::size_t>(count));
    return pass_frames(way, reader);
  }
  bool pass_frames(Way way, wire::FrameReader& reader) {
    while (true) {
      const auto frame = reader.next();
      if (!frame) ADD_FAILURE() << frame.error().message;
      if (!frame || !*frame) return frame.has_value();
      on_frame(way, **frame);
    }
  }

  void on_frame(Way way, const wire::Frame& frame) {
    std::string bytes(as_text(wire::encode(frame.header)));
    bytes += as_text(frame.payload);
    const bool counts = death_ != Death::kWithin || way == Way::kToGuest;
    if (died_ || !counts || count_++ != at_) return send(way, bytes);
    // Said before the host can see what the message leads to.
    dying_ = true;
    greeted_ = false;
    died_ = true;
    if (way == Way::kToGuest) {
      std::size_t read = death_ == Death::kBefore ? 0 : bytes.size();
      if (death_ == Death::kWithin) read = bytes.size() / 2;
      send(way, std::string_view(bytes).substr(0, read));
      wait_until_read();
      replace(Written::kArrives);
      return send(way, std::string_view(bytes).substr(read));
    }
    if (death_ == Death::kAfter) send(way, bytes);
    replace(death_ == Death::kAfter ? Written::kArrives : Written::kIsLost);
  }

  void send(Way way, std::string_view bytes) {
    if (way == Way::kToHost && lost_) return;
    if (way == Way::kToHost && bytes.front() == static_cast<char>(wire::FrameType::kHello)) {
      ++greetings_;
      greeted_ = !dying_;
    }
    const int to = way == Way::kToHost ? host_.get() : guest_.get();
    while (!bytes.empty()) {
      const ssize_t count = ::send(to, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (count < 0) return;
      bytes.remove_prefix(static_cast<std::size_t>(count));
    }
  }
  void wait_until_read() {
    const auto limit = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    int unread = 1;
    while (unread > 0 && std::chrono::steady_clock::now() < limit) {
      std::this_thread::yield();
      ASSERT_EQ(::ioctl(guest_.get(), SIOCOUTQ, &unread), 0);
    }
    EXPECT_EQ(unread, 0);
  }

  Start start_;
  std::size_t at_;
  Death death_;
  std::size_t count_ = 0;
  bool dying_ = false;  // what is read is the dead one's
  bool lost_ = false;   // and does not reach the host
  wire::FrameReader from_host_;
  wire::FrameReader from_guest_;
  std::atomic<bool> died_ = false;
  std::atomic<bool> greeted_ = false;
  std::atomic<unsigned> greetings_ = 0;
  UniqueFd host_;
  UniqueFd port_of_host_;
  UniqueFd guest_;
  UniqueFd port_of_daemon_;
  pid_t daemon_ = -1;
  std::thread thread_;
};

// Tests in which a daemon dies in every way.
class DeathTest : public ::testing::TestWithParam<DyingDaemon::Death> {
 protected:
  // Calls `live` with a daemon that dies at its first message, then with one that dies at its
  // second, and so on until one survives it; returns how many died.
  std::size_t die_at_every_message(const DyingDaemon::Start& start,
                                   const std::function<void(DyingDaemon&)>& live) {
    for (std::size_t at = 0;; ++at) {
      SCOPED_TRACE("message " + std::to_string(at));
      DyingDaemon daemon(start, at, GetParam());
      live(daemon);
      if (!daemon.died() || HasFailure()) return at;
    }
  }
  // Messages that count when there are so many of the host's and so many of both.
  [[nodiscard]] static std::size_t least(std::size_t of_the_host, std::size_t of_both) {
    return GetParam() == DyingDaemon::Death::kWithin ? of_the_host : of_both;
  }
};

inline auto every_death() {
  return ::testing::Values(DyingDaemon::Death::kBefore, DyingDaemon::Death::kWithin,
                           DyingDaemon::Death::kAfter);
}
inline std::string name_of_death(const ::testing::TestParamInfo<DyingDaemon::Death>& death) {
  switch (death.param) {
    case DyingDaemon::Death::kBefore:
      return "BeforeAMessage";
    case DyingDaemon::Death::kWithin:
      return "WithinAMessage";
    case DyingDaemon::Death::kAfter:
      break;
  }
  return "AfterAMessage";
}

}  // namespace gondolin::vm
