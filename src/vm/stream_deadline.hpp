// Ends a stream when a deadline passes, and remembers that it did.
#pragma once

#include <chrono>
#include <string>

#include "io/deadline.hpp"
#include "vm/mux_channel.hpp"

namespace gondolin::vm {

// Must not outlive the stream. The clock runs from the construction.
class StreamDeadline {
 public:
  StreamDeadline(DeadlineQueue& queue, MuxStream& stream, std::chrono::milliseconds after)
      : deadline_(queue, [this, &stream] {
          expired_ = true;
          stream.reset();
        }) {
    deadline_.arm(after);
  }

  // `error`, or what it comes from when the deadline was the cause.
  [[nodiscard]] Error explain(Error error) const {
    if (!expired_) return error;
    return {ErrorCode::kTimeout, "the guest did not answer in time", 0};
  }

 private:
  bool expired_ = false;
  Deadline deadline_;
};

}  // namespace gondolin::vm
