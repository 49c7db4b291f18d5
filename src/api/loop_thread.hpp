// An event loop on a thread of its own, and calls into it from other threads.
#pragma once

#include <atomic>
#include <condition_variable>
#include <exception>
#include <mutex>
#include <optional>
#include <thread>
#include <type_traits>
#include <utility>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>

#include "gondolin/error.hpp"
#include "io/run_loop.hpp"
#include "io/stream.hpp"

namespace gondolin::api {

// Runs until stop(). Whatever lives on the loop must be destroyed after stop() and
// before this object: declare it behind, and call stop() first.
class LoopThread {
 public:
  LoopThread() : thread_([this] { work(); }) {}
  ~LoopThread() { stop(); }
  LoopThread(const LoopThread&) = delete;
  LoopThread& operator=(const LoopThread&) = delete;

  [[nodiscard]] asio::any_io_executor executor() { return context_.get_executor(); }

  // Whether this is the loop's thread.
  [[nodiscard]] bool here() const { return std::this_thread::get_id() == id_; }

  // Runs `work` on the loop and returns what it returns, or throws what it throws.
  // kCancelled when the loop is stopped first; `work` is not running any more then.
  // kInvalidArgument on the loop's own thread, which it would wait for.
  template <typename T>
  T run(Awaitable<T> work) {
    if (here()) {
      throw ApiError(ApiErrorCode::kInvalidArgument,
                     "a blocking function was called on the VM's or gateway's own thread");
    }
    using Value = std::conditional_t<std::is_void_v<T>, bool, T>;
    std::optional<Value> value;
    std::exception_ptr failure;
    bool done = false;
    // The references are good: this frame stays until the coroutine has ended, or
    // the thread that runs it has.
    auto finish = [&] {
      std::lock_guard lock(mutex_);
      done = true;
      changed_.notify_all();
    };
    auto body = [&](Awaitable<T> inner) -> Awaitable<void> {
      try {
        if constexpr (std::is_void_v<T>) {
          co_await std::move(inner);
        } else {
          value.emplace(co_await std::move(inner));
        }
      } catch (...) {
        failure = std::current_exception();
      }
      finish();
    };
    asio::co_spawn(context_, body(std::move(work)), [](const std::exception_ptr&) {});
    {
      std::unique_lock lock(mutex_);
      changed_.wait(lock, [&] { return done || stopped_; });
      if (!done) throw ApiError(ApiErrorCode::kCancelled, "the VM or gateway was closed");
    }
    if (failure) std::rethrow_exception(failure);
    if constexpr (!std::is_void_v<T>) return std::move(*value);
  }

  // Calls `function` on the loop's thread, later; drops it when the loop is stopped.
  template <typename Function>
  void post(Function function) {
    asio::post(context_, std::move(function));
  }

  // Ends the loop and waits for its thread. Calls of run() that wait throw. On the loop's
  // own thread it does not wait: whoever destroys this does. May be called again.
  void stop() {
    context_.stop();
    if (here()) return;
    std::lock_guard once(stop_mutex_);
    if (thread_.joinable()) thread_.join();
  }

 private:
  void work() {
    id_ = std::this_thread::get_id();
    run_loop(context_);
    id_ = std::thread::id();
    std::lock_guard lock(mutex_);
    stopped_ = true;
    changed_.notify_all();
  }

  asio::io_context context_{1};
  asio::executor_work_guard<asio::io_context::executor_type> work_{context_.get_executor()};
  std::mutex mutex_;
  std::condition_variable changed_;
  bool stopped_ = false;
  std::atomic<std::thread::id> id_;  // the thread's, while it is in the loop
  std::mutex stop_mutex_;
  std::thread thread_;
};

}  // namespace gondolin::api
