// The control messages of one stream on their way to the host. They wait here while
// the stream's window is full; a stream is answered with few of them.
#pragma once

#include "base/bytes.hpp"
#include "wire/control.hpp"
#include "wire/mux.hpp"

namespace gondolin::guest {

class Outbox {
 public:
  Outbox(wire::Mux& mux, wire::StreamId stream) : mux_(mux), stream_(stream) {}

  void send(const wire::ControlMessage& message);
  // Half-closes the stream behind the messages sent so far.
  void finish();
  // To be called on kWritable of the stream.
  void flush();
  // Whether finish() was called and all has left.
  [[nodiscard]] bool finished() const { return finished_; }

 private:
  wire::Mux& mux_;
  wire::StreamId stream_;
  ByteBuffer waiting_;
  bool finishing_ = false;
  bool finished_ = false;
};

}  // namespace gondolin::guest
