#include "guest/sandboxd/outbox.hpp"

#include "base/check.hpp"

namespace gondolin::guest {

void Outbox::send(const wire::ControlMessage& message) {
  auto bytes = wire::encode_message(message);
  GONDOLIN_CHECK(bytes.has_value());
  waiting_.insert(waiting_.end(), bytes->begin(), bytes->end());
  flush();
}

void Outbox::finish() {
  finishing_ = true;
  flush();
}

void Outbox::flush() {
  std::size_t taken = mux_.write(stream_, waiting_);
  waiting_.erase(waiting_.begin(), waiting_.begin() + static_cast<std::ptrdiff_t>(taken));
  if (!waiting_.empty() || !finishing_ || finished_) return;
  finished_ = true;
  mux_.finish(stream_);
}

}  // namespace gondolin::guest
