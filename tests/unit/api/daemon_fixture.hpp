// A loop with a control client on it, and behind that a real sandboxd, on this machine.
#pragma once

#include <sys/socket.h>
#include <sys/wait.h>

#include <array>
#include <chrono>
#include <condition_variable>
#include <future>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "api/convert.hpp"
#include "api/process_impl.hpp"
#include "api/run.hpp"
#include "base/unique_fd.hpp"
#include "guest/start_daemon.hpp"

namespace gondolin::testing {

// What a completion was called with, for a thread that waits for it.
template <typename T>
class Answer {
 public:
  // To give to an asynchronous call.
  [[nodiscard]] Completion<T> completion() {
    return [state = state_](Outcome<T> outcome) {
      std::lock_guard lock(state->mutex);
      ++state->calls;
      state->outcome.emplace(std::move(outcome));
      state->changed.notify_all();
    };
  }

  // Waits for the call and returns what it brought.
  [[nodiscard]] Outcome<T> get() {
    std::unique_lock lock(state_->mutex);
    const bool came = state_->changed.wait_for(lock, std::chrono::seconds(50),
                                               [this] { return state_->calls > 0; });
    if (!came) return ApiError(ApiErrorCode::kTimeout, "the completion was never called");
    return std::move(*state_->outcome);
  }
  [[nodiscard]] int calls() const {
    std::lock_guard lock(state_->mutex);
    return state_->calls;
  }

 private:
  struct State {
    std::mutex mutex;
    std::condition_variable changed;
    int calls = 0;
    std::optional<Outcome<T>> outcome;
  };
  std::shared_ptr<State> state_ = std::make_shared<State>();
};

// Owned like a VmState: by the fixture and by each Process.
class DaemonLoop {
 public:
  DaemonLoop() {
    std::array<int, 2> ends{};
    EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()), 0);
    UniqueFd ours(ends[0]);
    UniqueFd theirs(ends[1]);
    daemon_ = guest::start_daemon(SANDBOXD, theirs.get());
    loop_.run([](DaemonLoop& self, UniqueFd socket) -> Awaitable<void> {
      self.channel_ = std::make_unique<vm::MuxChannel>(
          co_await asio::this_coro::executor, std::move(socket), "sandboxd",
          [&self](const vm::ChannelEvent&) { self.up_.set_value(); });
      self.client_ = std::make_unique<vm::ControlClient>(*self.channel_);
    }(*this, std::move(ours)));
    up_.get_future().wait();
  }
  DaemonLoop(const DaemonLoop&) = delete;
  DaemonLoop& operator=(const DaemonLoop&) = delete;
  ~DaemonLoop() {
    loop_.run([](DaemonLoop& self) -> Awaitable<void> {
      *self.closed_ = true;
      self.channel_->close();
      co_return;
    }(*this));
    loop_.stop();
    ::waitpid(daemon_, nullptr, 0);
  }

  [[nodiscard]] api::LoopThread& loop() { return loop_; }
  [[nodiscard]] vm::ControlClient& client() { return *client_; }
  [[nodiscard]] std::shared_ptr<const bool> closed() const { return closed_; }

 private:
  pid_t daemon_ = -1;
  std::promise<void> up_;
  const std::shared_ptr<bool> closed_ = std::make_shared<bool>(false);
  api::LoopThread loop_;
  std::unique_ptr<vm::MuxChannel> channel_;
  std::unique_ptr<vm::ControlClient> client_;
};

class DaemonTest : public ::testing::Test {
 protected:
  [[nodiscard]] static wire::Spawn shell(const std::string& script) {
    wire::Spawn spawn;
    spawn.argv = {"sh", "-c", script};
    return spawn;
  }

  [[nodiscard]] std::shared_ptr<api::LoopThread> loop() const {
    return {daemon_, &daemon_->loop()};
  }

  // Starts a shell script.
  [[nodiscard]] Process start(const std::string& script) const {
    auto process =
        loop()->run([](DaemonLoop& daemon,
                       wire::Spawn spawn) -> Awaitable<std::shared_ptr<api::SharedProcess>> {
          auto started = api::value_or_throw(co_await daemon.client().exec(spawn));
          co_return std::make_shared<api::SharedProcess>(co_await asio::this_coro::executor,
                                                         daemon.closed(), std::move(started));
        }(*daemon_, shell(script)));
    return Process(std::make_unique<Process::Impl>(loop(), std::move(process)));
  }

  // Runs a shell script to its end.
  [[nodiscard]] RunResult run(const std::string& script, RunOptions options = {}) const {
    return loop()->run(
        api::run_program({.loop = loop(), .closed = daemon_->closed(), .client = daemon_->client()},
                         shell(script), std::move(options)));
  }

  // The test holds the loop no longer; what a Process holds stays.
  void let_go() { daemon_.reset(); }

 private:
  std::shared_ptr<DaemonLoop> daemon_ = std::make_shared<DaemonLoop>();
};

}  // namespace gondolin::testing
