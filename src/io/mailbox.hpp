// Hands work to an event loop from any thread, for as long as there is one.
//
// Whoever may answer late (a hook of the user's, a thread of a pool) holds a
// Mailbox, never the loop itself: the loop's owner closes it before the loop goes,
// and what is posted after that is dropped. A letter has room for its own posting,
// so that this needs no memory: an answer that is there is never lost.
#pragma once

#include <cstddef>
#include <memory>
#include <mutex>
#include <optional>
#include <utility>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/execution/allocator.hpp>
#include <boost/asio/execution/blocking.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/require.hpp>

#include "base/check.hpp"

namespace gondolin {

// What a Mailbox carries, once.
class Letter {
 public:
  Letter() = default;
  Letter(const Letter&) = delete;
  Letter& operator=(const Letter&) = delete;
  virtual ~Letter() = default;

 private:
  friend class Mailbox;

  // Called on the loop's thread.
  virtual void open() = 0;

  alignas(std::max_align_t) std::byte room_[128];
};

// Shared by pointer. Any thread may call.
class Mailbox {
 public:
  // The executor must be an io_context's.
  explicit Mailbox(const boost::asio::any_io_executor& executor)
      : executor_(executor.target<Executor>() != nullptr
                      ? std::optional(*executor.target<Executor>())
                      : std::nullopt) {
    GONDOLIN_CHECK(executor_.has_value());
  }
  Mailbox(const Mailbox&) = delete;
  Mailbox& operator=(const Mailbox&) = delete;

  // Opens `letter` on the loop, in a later turn; drops it after close(). Once for each letter.
  void post(const std::shared_ptr<Letter>& letter) {
    std::lock_guard lock(mutex_);
    if (!executor_) return;
    boost::asio::require(*executor_, boost::asio::execution::blocking.never,
                         boost::asio::execution::allocator(Room<void>{letter.get()}))
        .execute([letter] { letter->open(); });
  }

  // Nothing is posted once this has returned. What was, the loop may still run.
  void close() {
    std::lock_guard lock(mutex_);
    executor_.reset();
  }

 private:
  using Executor = boost::asio::io_context::executor_type;

  // Allocates in a letter's room, which the loop leaves before it opens or drops the letter.
  template <typename T>
  struct Room {
    using value_type = T;

    explicit Room(Letter* owner) : letter(owner) {}
    template <typename Other>
    Room(const Room<Other>& other) noexcept : letter(other.letter) {}

    [[nodiscard]] T* allocate(std::size_t count) const {
      GONDOLIN_CHECK(count * sizeof(T) <= sizeof letter->room_);
      return reinterpret_cast<T*>(letter->room_);
    }
    void deallocate(T*, std::size_t) const {}
    template <typename Other>
    bool operator==(const Room<Other>& other) const {
      return letter == other.letter;
    }

    Letter* letter;
  };

  std::mutex mutex_;
  std::optional<Executor> executor_;
};

}  // namespace gondolin
