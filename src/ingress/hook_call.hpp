// Awaiting a hook's answer, which may come from any thread, late, or never.
#pragma once

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
    auto slot = std::make_shared<Slot<T>>();
    slot->waiter = &changed_;
    start(HookAnswer<T>([mailbox = mailbox_, slot](HookResult<T> result) {
      mailbox->post([slot, result = std::move(result)]() mutable {
        if (slot->waiter == nullptr || slot->result) return;
        slot->result = std::move(result);
        slot->waiter->notify();
      });
    }));
    while (!slot->result && !abandoned_)
      co_await changed_.wait();
    slot->waiter = nullptr;
    co_return std::move(slot->result);
  }

  // Nobody is interested any more: ends the call in progress and all that follow.
  void abandon() {
    abandoned_ = true;
    changed_.notify();
  }

 private:
  // Outlives the call where a hook still holds its answer.
  template <typename T>
  struct Slot {
    Signal* waiter = nullptr;  // null: nobody waits
    std::optional<HookResult<T>> result;
  };

  std::shared_ptr<Mailbox> mailbox_;
  Signal changed_;
  bool abandoned_ = false;
};

}  // namespace gondolin::ingress
