// One coroutine waits, something else on the same thread wakes it.
//
// A Signal remembers nothing: the waiter looks at its condition, waits, and looks
// again. On one thread that loses no wake-up, unless memory runs out: then the
// coroutine that waits ends there, unwound by the loop.
//
// The loop owns whoever waits, as it does with timers and sockets: when an io_context is
// destroyed, so are the coroutines that wait, even one that owns the very Signal.
#pragma once

#include <cstddef>
#include <new>
#include <utility>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/deferred.hpp>
#include <boost/asio/execution_context.hpp>
#include <boost/asio/post.hpp>

#include "base/check.hpp"

namespace gondolin {

// The signals of one event loop that are waited for, in a ring.
class AwaitedSignals final : public boost::asio::execution_context::service {
 public:
  using key_type = AwaitedSignals;
  static inline boost::asio::execution_context::id id;

  struct Link {
    Link* next = this;
    Link* previous = this;
  };

  explicit AwaitedSignals(boost::asio::execution_context& context) : service(context) {}

  void add(Link& link) {
    link.next = ring_.next;
    link.previous = &ring_;
    link.next->previous = ring_.next = &link;
  }

  static void remove(Link& link) {
    link.previous->next = link.next;
    link.next->previous = link.previous;
  }

 private:
  // The loop ends.
  void shutdown() override;

  Link ring_;
};

// At most one waiter at a time. Destroying a Signal drops its waiter, which then
// never resumes; that is for the teardown of an event loop only.
class Signal : private AwaitedSignals::Link {
 public:
  explicit Signal(boost::asio::any_io_executor executor)
      : executor_(std::move(executor)),
        awaited_(boost::asio::use_service<AwaitedSignals>(
            boost::asio::query(executor_, boost::asio::execution::context))) {}
  Signal(const Signal&) = delete;
  Signal& operator=(const Signal&) = delete;
  ~Signal() { drop(); }

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
      taken()->post(executor_);
    } catch (const std::bad_alloc&) {
      return;  // Asio has the loop destroy the coroutine of a handler that is never called
    }
  }

  // Runs the waiter now. Only as the last act of a completion handler: anything
  // may have happened, the Signal's own end included, when this returns.
  void resume() {
    if (waiter_ != nullptr) taken()->run();
  }

  [[nodiscard]] bool awaited() const { return waiter_ != nullptr; }

 private:
  friend class AwaitedSignals;

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
    awaited_.add(*this);
  }

  // The waiter, in a slot that counts as free.
  Waiter* taken() {
    AwaitedSignals::remove(*this);
    return std::exchange(waiter_, nullptr);
  }

  // Asio has the loop destroy the waiter's coroutine, later.
  void drop() {
    if (waiter_ != nullptr) taken()->~Waiter();
  }

  static constexpr std::size_t kRoom = 64;

  boost::asio::any_io_executor executor_;
  AwaitedSignals& awaited_;
  Waiter* waiter_ = nullptr;  // in storage_
  alignas(std::max_align_t) std::byte storage_[kRoom];
};

inline void AwaitedSignals::shutdown() {
  while (ring_.next != &ring_)
    static_cast<Signal*>(ring_.next)->drop();
}

}  // namespace gondolin
