// Awaiting a hook's answer, which may come from any thread, late, or never.
#pragma once

#include <atomic>
#include <memory>
#include <optional>
#include <utility>

#include "ingress/hooks.hpp"
#include "io/mailbox.hpp"
#include "io/signal.hpp"
#include "io/stream.hpp"

namespace gondolin::ingress {

// One call at a time. Belongs to the loop's thread; answers find their way to it
// through the mailbox, and are dropped if nobody waits for them any more.
class HookCall {
 public:
  HookCall(const asio::any_io_executor& executor, std::shared_ptr<Mailbox> mailbox)
      : mailbox_(std::move(mailbox)), changed_(executor) {}
  HookCall(const HookCall&) = delete;
  HookCall& operator=(const HookCall&) = delete;

  // Calls `start` with a HookAnswer<T> and waits for what that is called with. None
  // after abandon().
  template <typename T, typename Start>
  [[nodiscard]] Awaitable<std::optional<HookResult<T>>> ask(Start start) {
    if (abandoned_) co_return std::nullopt;
    const Question<T> question(changed_);
    start(HookAnswer<T>([mailbox = mailbox_, slot = question.slot](HookResult<T> result) {
      if (slot->answered.exchange(true)) return;
      slot->result = std::move(result);
      mailbox->post(slot);
    }));
    while (!question.slot->here && !abandoned_)
      co_await changed_.wait();
    if (!question.slot->here) co_return std::nullopt;
    co_return std::move(question.slot->result);
  }

  // Nobody is interested any more: ends the call in progress and all that follow.
  void abandon() noexcept {
    abandoned_ = true;
    changed_.notify();
  }

 private:
  // Outlives the call where a hook still holds its answer.
  template <typename T>
  struct Slot final : Letter {
    void open() override {
      here = true;
      if (waiter != nullptr) waiter->notify();
    }

    std::atomic<bool> answered = false;
    std::optional<HookResult<T>> result;  // whoever answers writes it; the loop's once here
    bool here = false;
    Signal* waiter = nullptr;  // null: nobody waits
  };

  // However the asking ends, the answer then finds nobody.
  template <typename T>
  struct Question {
    explicit Question(Signal& waiter) : slot(std::make_shared<Slot<T>>()) {
      slot->waiter = &waiter;
    }
    Question(const Question&) = delete;
    Question& operator=(const Question&) = delete;
    ~Question() { slot->waiter = nullptr; }

    const std::shared_ptr<Slot<T>> slot;
  };

  std::shared_ptr<Mailbox> mailbox_;
  Signal changed_;
  bool abandoned_ = false;
};

}  // namespace gondolin::ingress
