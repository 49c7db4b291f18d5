// Hands work to an event loop from any thread, for as long as there is one.
//
// Whoever may answer late (a hook of the user's, a thread of a pool) holds a
// Mailbox, never the loop itself: the loop's owner closes it before the loop goes,
// and what is posted after that is dropped.
#pragma once

#include <mutex>
#include <utility>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/post.hpp>

namespace gondolin {

// Shared by pointer. Any thread may call.
class Mailbox {
 public:
  explicit Mailbox(boost::asio::any_io_executor executor) : executor_(std::move(executor)) {}
  Mailbox(const Mailbox&) = delete;
  Mailbox& operator=(const Mailbox&) = delete;

  // Runs `work` on the loop, in a later turn; drops it after close().
  template <typename Work>
  void post(Work work) {
    std::lock_guard lock(mutex_);
    if (executor_) boost::asio::post(executor_, std::move(work));
  }

  // Nothing is posted once this has returned. What was, the loop may still run.
  void close() {
    std::lock_guard lock(mutex_);
    executor_ = {};
  }

 private:
  std::mutex mutex_;
  boost::asio::any_io_executor executor_;
};

}  // namespace gondolin
