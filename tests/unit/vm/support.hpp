// What the tests of src/vm share: an event loop that runs one coroutine to its end,
// and a guest end of a port that lives in this process.
#pragma once

#include <sys/socket.h>

#include <array>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <boost/asio/io_context.hpp>
#include <gtest/gtest.h>

#include "base/unique_fd.hpp"
#include "io/spawn.hpp"
#include "vm/port_pump.hpp"
#include "wire/mux.hpp"

namespace gondolin::vm {

// Runs coroutines; what a test started must have ended when it is destroyed.
class Loop {
 public:
  [[nodiscard]] asio::any_io_executor executor() { return context_.get_executor(); }

  // Runs `body`, a function that returns an Awaitable<void>, to its end.
  template <typename Body>
  void run(Body body) {
    bool done = false;
    spawn(executor(), [&]() -> Awaitable<void> {
      co_await body();
      done = true;
    });
    auto limit = std::chrono::steady_clock::now() + std::chrono::seconds(50);
    while (!done && std::chrono::steady_clock::now() < limit) {
      context_.restart();
      context_.run_one_for(std::chrono::seconds(1));
    }
    ASSERT_TRUE(done) << "the test's coroutine did not come to its end";
  }

  // Runs what is ready, until nothing is.
  void settle() {
    context_.restart();
    context_.poll();
  }

  // Runs until `condition` holds.
  void run_until(const std::function<bool()>& condition) {
    auto limit = std::chrono::steady_clock::now() + std::chrono::seconds(50);
    while (!condition() && std::chrono::steady_clock::now() < limit) {
      context_.restart();
      context_.run_one_for(std::chrono::milliseconds(100));
    }
    ASSERT_TRUE(condition());
  }

 private:
  asio::io_context context_{1};
};

struct SocketPair {
  UniqueFd ours;
  UniqueFd theirs;
};

inline SocketPair make_socket_pair() {
  std::array<int, 2> ends{};
  EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()), 0);
  return {UniqueFd(ends[0]), UniqueFd(ends[1])};
}

// The guest end of a port: the same turns as on the host around a mux of the other
// role. Events other than the handshake go to `on_event`.
class GuestEnd final : public PortPump {
 public:
  using Handler = std::function<void(wire::Mux& mux, const wire::MuxEvent& event)>;

  GuestEnd(const asio::any_io_executor& executor, UniqueFd socket, Handler on_event)
      : PortPump(executor, std::move(socket), {}),
        on_event_(std::move(on_event)),
        mux_({.role = wire::Role::kGuest}) {
    restart();
  }

  [[nodiscard]] wire::Mux& mux() { return mux_; }

  // As a daemon that died and came back: HELLO with another nonce.
  void restart() {
    wire::Nonce nonce{};
    nonce[0] = std::byte(++lives_);
    mux_.greet(nonce);
  }

 private:
  MutableBytes input_space() override { return mux_.input_space(); }
  void input_received(std::size_t count) override { mux_.input_received(count); }
  Bytes output() override { return mux_.output(); }
  void output_sent(std::size_t count) override { mux_.output_sent(count); }
  [[nodiscard]] bool in_frame() const override { return false; }
  void start_over(const std::string& why) override { ADD_FAILURE() << why; }
  void on_close() override {}

  Result<bool> handle_event() override {
    auto event = mux_.next_event();
    if (!event) return tl::unexpected(event.error());
    if (!*event) return false;
    if ((*event)->kind == wire::MuxEvent::Kind::kRenew) {
      restart();
    } else if ((*event)->kind != wire::MuxEvent::Kind::kUp) {
      on_event_(mux_, **event);
      schedule_flush();
    }
    return true;
  }

  Handler on_event_;
  wire::Mux mux_;
  unsigned lives_ = 0;
};

// A directory that is gone at the end.
class TemporaryDirectory {
 public:
  TemporaryDirectory() {
    std::string path = (std::filesystem::temp_directory_path() / "gondolin-test-XXXXXX").string();
    EXPECT_NE(::mkdtemp(path.data()), nullptr);
    path_ = path;
  }
  TemporaryDirectory(const TemporaryDirectory&) = delete;
  TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;
  ~TemporaryDirectory() {
    std::error_code error;
    std::filesystem::remove_all(path_, error);
  }
  [[nodiscard]] const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

// Sets an environment variable, or unsets it, while in scope.
class ScopedEnvironment {
 public:
  ScopedEnvironment(std::string name, const char* value) : name_(std::move(name)) {
    if (const char* old = std::getenv(name_.c_str())) saved_ = old;
    set(value);
  }
  ScopedEnvironment(const ScopedEnvironment&) = delete;
  ScopedEnvironment& operator=(const ScopedEnvironment&) = delete;
  ~ScopedEnvironment() { set(saved_ ? saved_->c_str() : nullptr); }

 private:
  void set(const char* value) {
    if (value != nullptr) {
      ::setenv(name_.c_str(), value, 1);
    } else {
      ::unsetenv(name_.c_str());
    }
  }

  std::string name_;
  std::optional<std::string> saved_;
};

}  // namespace gondolin::vm
