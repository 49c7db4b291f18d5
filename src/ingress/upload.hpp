// The other of an exchange's two flows, while it runs: from the client to the backend.
#pragma once

#include <memory>
#include <utility>

#include "ingress/exchange.hpp"

namespace gondolin::ingress {

// Held by the coroutine, whose end is noticed so, in whichever way it ends; keeps alive what the
// coroutine works with.
class Exchange::Upload {
 public:
  explicit Upload(Exchange& exchange) : owner_(exchange.owner_.lock()), exchange_(&exchange) {
    exchange.uploading_ = true;
  }
  Upload(Upload&& other) noexcept
      : owner_(std::move(other.owner_)), exchange_(std::exchange(other.exchange_, nullptr)) {}
  Upload& operator=(Upload&&) = delete;
  ~Upload() {
    if (exchange_ == nullptr) return;
    exchange_->uploading_ = false;
    if (!in_order_) exchange_->fail(Failure::kOutOfMemory);
    exchange_->upload_ended_.notify();
  }

  // It got to its end.
  void in_order() { in_order_ = true; }

 private:
  std::shared_ptr<const void> owner_;
  Exchange* exchange_;  // null: moved from
  bool in_order_ = false;
};

}  // namespace gondolin::ingress
