// Deadlines for many connections at the price of one timer.
//
// A connection moves its deadline with every message, and nearly no deadline ever
// passes. So arming one only stores a time: the queue's timer is touched when a
// deadline becomes the earliest of all, and one that has moved later is put back
// when its old time comes. Nothing is allocated after a Deadline's first use, nor by the
// timer, so that no deadline is lost where memory runs out.
//
// Everything belongs to one event-loop thread.
#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <vector>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/steady_timer.hpp>

#include "io/handler_memory.hpp"

namespace gondolin {

class Deadline;

// Owns the timer. Must outlive every Deadline made with it.
class DeadlineQueue {
 public:
  using Clock = std::chrono::steady_clock;

  explicit DeadlineQueue(const boost::asio::any_io_executor& executor) : timer_(executor) {}
  DeadlineQueue(const DeadlineQueue&) = delete;
  DeadlineQueue& operator=(const DeadlineQueue&) = delete;
  ~DeadlineQueue();

 private:
  friend class Deadline;

  // Puts `deadline` at `when`, which must be its new due time.
  void schedule(Deadline& deadline, Clock::time_point when);
  void remove(Deadline& deadline);

  void place(std::size_t slot, Deadline* deadline);
  void sift_up(std::size_t slot);
  void sift_down(std::size_t slot);
  void arm_timer();
  void run_due();
  void expire(Deadline& deadline);

  boost::asio::steady_timer timer_;
  // For the wait in progress, and for one that was cancelled in the same turn.
  std::shared_ptr<HandlerMemory> memory_ = std::make_shared<HandlerMemory>();
  std::shared_ptr<HandlerMemory> spare_memory_ = std::make_shared<HandlerMemory>();
  Clock::time_point armed_for_ = Clock::time_point::max();
  std::vector<Deadline*> heap_;  // by scheduled_, earliest first
};

// One deadline, at most one time at a time. `on_expiry` runs on the loop's thread
// once for each time that passes without disarm(); it may arm the deadline again
// and may destroy it.
class Deadline {
 public:
  Deadline(DeadlineQueue& queue, std::function<void()> on_expiry)
      : queue_(queue), on_expiry_(std::move(on_expiry)) {}
  Deadline(const Deadline&) = delete;
  Deadline& operator=(const Deadline&) = delete;
  ~Deadline();

  // Expires `after` from now, in place of any time set before.
  void arm(std::chrono::milliseconds after);
  void disarm() { due_ = DeadlineQueue::Clock::time_point::max(); }
  [[nodiscard]] bool armed() const { return due_ != DeadlineQueue::Clock::time_point::max(); }

 private:
  friend class DeadlineQueue;
  static constexpr std::size_t kNotQueued = static_cast<std::size_t>(-1);

  DeadlineQueue& queue_;
  std::function<void()> on_expiry_;
  DeadlineQueue::Clock::time_point due_ = DeadlineQueue::Clock::time_point::max();
  // Where the heap has it; never later than due_ while queued.
  DeadlineQueue::Clock::time_point scheduled_{};
  std::size_t slot_ = kNotQueued;
};

}  // namespace gondolin
