// The host's end of a port, for tests: a daemon on the other side of a socketpair and
// a mux that is driven by hand, one step at a time, with a deadline on every wait.
#pragma once

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "base/unique_fd.hpp"
#include "wire/mux.hpp"

namespace gondolin::guest {

using wire::MuxEvent;
using wire::StreamId;

class HostEnd {
 public:
  // What was seen of one stream.
  struct Seen {
    std::optional<std::uint32_t> opened;  // OPENED's errno
    std::string received;                 // consumed so far
    bool ended = false;
    std::optional<std::uint32_t> reset;
    std::string unsent;      // write() did not take it yet
    bool finishing = false;  // finish() behind unsent
    bool paused = false;     // nothing is consumed
  };

  explicit HostEnd(const char* program, std::uint32_t window = 64 * 1024)
      : mux_({.role = wire::Role::kHost, .window = window}), program_(program) {
    int ends[2];
    if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) std::abort();
    port_.reset(ends[0]);
    daemon_port_.reset(ends[1]);
    start_daemon();
  }
  HostEnd(const HostEnd&) = delete;
  HostEnd& operator=(const HostEnd&) = delete;
  ~HostEnd() {
    daemon_port_.reset();
    port_.reset();
    if (daemon_ > 0) ::waitpid(daemon_, nullptr, 0);
  }

  [[nodiscard]] pid_t daemon() const { return daemon_; }
  [[nodiscard]] wire::Mux& mux() { return mux_; }
  Seen& operator[](StreamId id) { return seen_[id]; }
  [[nodiscard]] unsigned restarts() const { return ups_ - 1; }

  // Kills the daemon and starts another on the same port, as init does.
  void restart_daemon() {
    ::kill(daemon_, SIGKILL);
    ::waitpid(daemon_, nullptr, 0);
    start_daemon();
  }

  StreamId open(Bytes target, std::string_view first = {}) {
    EXPECT_TRUE(wait([&] { return mux_.up(); }));
    auto id = mux_.open(target);
    if (!id) {
      ADD_FAILURE() << id.error().message;
      return {};
    }
    seen_[*id] = {};
    if (!first.empty()) write(*id, first);
    return *id;
  }
  void write(StreamId id, std::string_view bytes) {
    seen_[id].unsent += bytes;
    push(id);
  }
  void finish(StreamId id) {
    seen_[id].finishing = true;
    push(id);
  }
  // Closes the stream and forgets what was seen of it.
  void close(StreamId id) {
    mux_.close(id);
    seen_.erase(id);
  }

  // Steps until `done` holds; false when that takes too long.
  template <typename Done>
  [[nodiscard]] bool wait(Done done, std::chrono::seconds limit = std::chrono::seconds(20)) {
    auto deadline = std::chrono::steady_clock::now() + limit;
    while (!done()) {
      if (std::chrono::steady_clock::now() > deadline || broken_) return false;
      step();
    }
    return true;
  }
  [[nodiscard]] bool wait_end(StreamId id) {
    return wait(
        [&] { return seen_[id].ended || seen_[id].reset || seen_[id].opened.value_or(0) != 0; });
  }

  // Moves what can be moved, waiting for a moment when that is nothing.
  void step() {
    for (auto& [id, seen] : seen_)
      consume(id, seen);
    handle_events();
    Bytes out = mux_.output();
    pollfd poll{.fd = port_.get(), .events = POLLIN, .revents = 0};
    if (!out.empty()) poll.events |= POLLOUT;
    ::poll(&poll, 1, 100);
    if (poll.revents & POLLOUT) {
      ssize_t count = ::send(port_.get(), out.data(), out.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
      if (count > 0) mux_.output_sent(static_cast<std::size_t>(count));
    }
    if (poll.revents & (POLLIN | POLLHUP)) receive();
    handle_events();
  }

 private:
  void start_daemon() {
    daemon_ = ::fork();
    if (daemon_ != 0) return;
    // The first three are the test's; the port gets a number of its own.
    constexpr int kPort = 5;
    ::dup2(daemon_port_.get(), kPort);
    ::fcntl(kPort, F_SETFD, 0);  // dup2 leaves a descriptor alone that has the number already
    ::close_range(3, kPort - 1, 0);
    ::close_range(kPort + 1, ~0U, 0);
    ::execl(program_, program_, "--port-fd", "5", nullptr);
    ::_exit(127);
  }

  void receive() {
    MutableBytes space = mux_.input_space();
    ssize_t count = ::recv(port_.get(), space.data(), space.size(), MSG_DONTWAIT);
    if (count > 0) mux_.input_received(static_cast<std::size_t>(count));
    if (count == 0) broken_ = true;
  }

  void handle_events() {
    while (!broken_) {
      auto event = mux_.next_event();
      if (!event) {
        broken_ = true;
        ADD_FAILURE() << event.error().message;
        return;
      }
      if (!*event) return;
      handle(**event);
    }
  }

  void handle(const MuxEvent& event) {
    switch (event.kind) {
      case MuxEvent::Kind::kUp:
        ++ups_;
        seen_.clear();
        return;
      case MuxEvent::Kind::kOpened:
        seen_[event.stream].opened = event.code;
        return;
      case MuxEvent::Kind::kReadable:
        return consume(event.stream, seen_[event.stream]);
      case MuxEvent::Kind::kEnd:
        seen_[event.stream].ended = true;
        return;
      case MuxEvent::Kind::kReset:
        consume(event.stream, seen_[event.stream]);
        seen_[event.stream].reset = event.code;
        return;
      case MuxEvent::Kind::kWritable:
        return push(event.stream);
      default:
        return;
    }
  }

  void consume(StreamId id, Seen& seen) {
    if (seen.paused || !seen.opened || *seen.opened != 0) return;
    while (true) {
      Bytes bytes = mux_.read(id);
      if (bytes.empty()) return;
      seen.received += as_text(bytes);
      mux_.consume(id, bytes.size());
    }
  }

  void push(StreamId id) {
    auto& seen = seen_[id];
    std::size_t taken = mux_.write(id, as_bytes(seen.unsent));
    seen.unsent.erase(0, taken);
    if (seen.unsent.empty() && std::exchange(seen.finishing, false)) mux_.finish(id);
  }

  wire::Mux mux_;
  const char* program_;
  UniqueFd port_;
  UniqueFd daemon_port_;
  pid_t daemon_ = -1;
  std::map<StreamId, Seen> seen_;
  unsigned ups_ = 0;
  bool broken_ = false;
};

}  // namespace gondolin::guest
