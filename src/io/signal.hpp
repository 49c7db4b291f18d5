// One coroutine waits, something else on the same thread wakes it.
//
// A Signal remembers nothing: the waiter looks at its condition, waits, and looks
// again. On one thread that loses no wake-up, unless memory runs out: then the
// coroutine that waits ends there, unwound by the loop.
#pragma once

#include <cstddef>
#include <new>
#include <utility>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/deferred.hpp>
#include <boost/asio/post.hpp>

#include "base/check.hpp"

namespace gondolin {

// At most one waiter at a time. Destroying a Signal drops its waiter, which then
// never resumes; that is for the teardown of an event loop only.
class Signal {
 public:
  explicit Signal(boost::asio::any_io_executor executor) : executor_(std::move(executor)) {}
  Signal(const Signal&) = delete;
  Signal& operator=(const Signal&) = delete;
  ~Signal() {
    if (waiter_ != nullptr) waiter_->~Waiter();
  }

  // co_await signal.wait(): returns after the next notify() or resume().
  auto wait() {
    return boost::asio::async_initiate<const boost::asio::deferred_t, void()>(
        [this](auto handler) { store(std::move(handler)); }, boost::asio::deferred);
  }

  // Wakes the waiter, if there is one, in a later turn of the loop. Where there is no
  // memory to do so the waiter is the one who suffers, not whoever calls.
  void notify() noexcept {
    if (waiter_ == nullptr) return;
    try {
      std::exchange(waiter_, nullptr)->post(executor_);
    } catch (const std::bad_alloc&) {
      return;  // Asio has the loop destroy the coroutine of a handler that is never called
    }
  }

  // Runs the waiter now. Only as the last act of a completion handler: anything
  // may have happened, the Signal's own end included, when this returns.
  void resume() {
    if (waiter_ != nullptr) std::exchange(waiter_, nullptr)->run();
  }

  [[nodiscard]] bool awaited() const { return waiter_ != nullptr; }

 private:
  struct Waiter {
    virtual ~Waiter() = default;
    virtual void post(const boost::asio::any_io_executor& executor) = 0;
    virtual void run() = 0;
  };

  template <typename Handler>
  struct WaiterOf final : Waiter {
    explicit WaiterOf(Handler h) : handler(std::move(h)) {}
    void post(const boost::asio::any_io_executor& executor) override {
      Handler taken = take();
      boost::asio::post(executor, std::move(taken));
    }
    void run() override {
      Handler taken = take();
      std::move(taken)();
    }
    // Leaves the slot free before the handler runs, for it may wait again.
    Handler take() {
      Handler taken = std::move(handler);
      this->~WaiterOf();
      return taken;
    }
    Handler handler;
  };

  template <typename Handler>
  void store(Handler handler) {
    GONDOLIN_CHECK(waiter_ == nullptr);
    static_assert(sizeof(WaiterOf<Handler>) <= kRoom);
    waiter_ = new (storage_) WaiterOf<Handler>(std::move(handler));
  }

  static constexpr std::size_t kRoom = 64;

  boost::asio::any_io_executor executor_;
  Waiter* waiter_ = nullptr;  // in storage_
  alignas(std::max_align_t) std::byte storage_[kRoom];
};

}  // namespace gondolin
