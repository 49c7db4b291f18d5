#include "io/deadline.hpp"

#include <utility>

#include <boost/asio/bind_allocator.hpp>

#include "base/check.hpp"

namespace gondolin {

DeadlineQueue::~DeadlineQueue() {
  GONDOLIN_CHECK(heap_.empty());
}

void DeadlineQueue::place(std::size_t slot, Deadline* deadline) {
  heap_[slot] = deadline;
  deadline->slot_ = slot;
}

void DeadlineQueue::sift_up(std::size_t slot) {
  Deadline* moving = heap_[slot];
  while (slot > 0) {
    std::size_t parent = (slot - 1) / 2;
    if (heap_[parent]->scheduled_ <= moving->scheduled_) break;
    place(slot, heap_[parent]);
    slot = parent;
  }
  place(slot, moving);
}

void DeadlineQueue::sift_down(std::size_t slot) {
  Deadline* moving = heap_[slot];
  for (;;) {
    std::size_t child = 2 * slot + 1;
    if (child >= heap_.size()) break;
    if (child + 1 < heap_.size() && heap_[child + 1]->scheduled_ < heap_[child]->scheduled_) {
      ++child;
    }
    if (moving->scheduled_ <= heap_[child]->scheduled_) break;
    place(slot, heap_[child]);
    slot = child;
  }
  place(slot, moving);
}

void DeadlineQueue::schedule(Deadline& deadline, Clock::time_point when) {
  deadline.scheduled_ = when;
  if (deadline.slot_ == Deadline::kNotQueued) {
    heap_.push_back(&deadline);
    deadline.slot_ = heap_.size() - 1;
  }
  sift_up(deadline.slot_);
  sift_down(deadline.slot_);
  arm_timer();
}

void DeadlineQueue::remove(Deadline& deadline) {
  std::size_t slot = std::exchange(deadline.slot_, Deadline::kNotQueued);
  Deadline* last = heap_.back();
  heap_.pop_back();
  if (last == &deadline) return;
  place(slot, last);
  sift_up(slot);
  sift_down(last->slot_);
}

// The timer may be armed too early, never too late.
void DeadlineQueue::arm_timer() {
  if (heap_.empty() || heap_.front()->scheduled_ >= armed_for_) return;
  armed_for_ = Clock::time_point::max();  // if anything fails, the next one tries again
  timer_.expires_at(heap_.front()->scheduled_);
  std::swap(memory_, spare_memory_);
  timer_.async_wait(boost::asio::bind_allocator(HandlerAllocator<>(memory_),
                                                [this](boost::system::error_code error) {
                                                  if (!error) run_due();
                                                }));
  armed_for_ = heap_.front()->scheduled_;
}

void DeadlineQueue::run_due() {
  armed_for_ = Clock::time_point::max();
  Clock::time_point now = Clock::now();
  while (!heap_.empty() && heap_.front()->scheduled_ <= now) {
    Deadline& deadline = *heap_.front();
    if (deadline.due_ == Clock::time_point::max()) {
      remove(deadline);
    } else if (deadline.due_ > now) {
      deadline.scheduled_ = deadline.due_;
      sift_down(0);
    } else {
      expire(deadline);
    }
  }
  arm_timer();
}

// A function that fails ends the turn, not the others' deadlines.
void DeadlineQueue::expire(Deadline& deadline) {
  remove(deadline);
  deadline.due_ = Clock::time_point::max();
  // A copy, since the call may destroy the deadline and its function with it.
  auto on_expiry = deadline.on_expiry_;
  try {
    on_expiry();
  } catch (...) {
    arm_timer();
    throw;
  }
}

Deadline::~Deadline() {
  if (slot_ != kNotQueued) queue_.remove(*this);
}

void Deadline::arm(std::chrono::milliseconds after) {
  due_ = DeadlineQueue::Clock::now() + after;
  if (slot_ == kNotQueued || due_ < scheduled_) queue_.schedule(*this, due_);
}

}  // namespace gondolin
