// Completions, called exactly once; and coroutines on the loop that end in one.
#pragma once

#include <exception>
#include <memory>
#include <optional>
#include <utility>

#include "api/loop_thread.hpp"
#include "gondolin/async.hpp"
#include "gondolin/error.hpp"
#include "io/spawn.hpp"

namespace gondolin::api {

// The exception in flight as the public API tells it. In a catch clause only.
[[nodiscard]] inline ApiError current_api_error() {
  try {
    throw;
  } catch (const ApiError& error) {
    return error;
  } catch (const std::exception& error) {
    return {ApiErrorCode::kFailed, error.what()};
  }
}

[[nodiscard]] inline ApiError closed_error() {
  return {ApiErrorCode::kCancelled, "the VM or gateway was closed"};
}

// Holds a completion until it is called: by settle(), or with kCancelled when the promise
// is destroyed first. The program's function must not throw; one that does ends the
// process here.
template <typename T>
class Promise {
 public:
  explicit Promise(Completion<T> done) : done_(std::move(done)) {}
  Promise(Promise&& other) noexcept : done_(std::exchange(other.done_, nullptr)) {}
  Promise& operator=(Promise&& other) noexcept {
    std::swap(done_, other.done_);
    return *this;
  }
  ~Promise() {
    if (done_) settle(closed_error());
  }

  void settle(Outcome<T> outcome) noexcept {
    if (auto done = std::exchange(done_, nullptr)) done(std::move(outcome));
  }

 private:
  Completion<T> done_;
};

// Runs `work()`, which returns an Awaitable<T>, on the loop, and tells `done` what it
// returned or threw. `work` keeps alive what it uses, but for the loop and what that owns.
template <typename T, typename Work>
void run_async(LoopThread& loop, Work work, Completion<T> done) {
  auto promise = std::make_shared<Promise<T>>(std::move(done));
  spawn(loop.executor(), [work = std::move(work), promise]() -> Awaitable<void> {
    std::optional<Outcome<T>> outcome;
    try {
      if constexpr (std::is_void_v<T>) {
        co_await work();
        outcome.emplace();
      } else {
        outcome.emplace(co_await work());
      }
    } catch (...) {
      outcome.emplace(current_api_error());
    }
    promise->settle(std::move(*outcome));
  });
}

}  // namespace gondolin::api
