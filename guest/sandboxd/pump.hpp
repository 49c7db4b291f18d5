// Moving bytes between a program's pipes (or its terminal) and the streams of the
// control port. The descriptors are non-blocking and watched edge-triggered; a
// pump remembers what epoll said until a call would block.
#pragma once

#include <cstdint>
#include <optional>

#include "guest/common/epoll.hpp"
#include "wire/mux.hpp"

namespace gondolin::guest {

// Standard output or standard error on its way to the host. Without a stream, bytes
// are read and thrown away, so that whoever still writes is neither blocked nor
// killed by SIGPIPE.
class OutputPump {
 public:
  OutputPump(wire::Mux& mux, int fd, std::optional<wire::StreamId> stream)
      : mux_(mux), fd_(fd), stream_(stream) {}

  // What epoll said about the descriptor: reading may bring something.
  void on_event() { readable_ = true; }
  // The stream is gone; bytes are thrown away from now on.
  void detach() { stream_.reset(); }

  // Moves what can be moved now. kMore means that it stopped before reading would
  // block though nothing is in its way.
  enum class Progress : std::uint8_t { kBlocked, kMore };
  [[nodiscard]] Progress pump();

  // Whether nobody can write to the descriptor any more and all was read.
  [[nodiscard]] bool ended() const { return ended_; }
  // Whether everything written so far was read.
  [[nodiscard]] bool drained() const { return ended_ || !readable_; }

 private:
  void to_stream();
  [[nodiscard]] Progress to_nowhere();
  // Reads into `space` and notes when that would block or nothing more will come.
  [[nodiscard]] std::size_t get(MutableBytes space);

  wire::Mux& mux_;
  int fd_;
  std::optional<wire::StreamId> stream_;
  bool readable_ = true;
  bool ended_ = false;
};

// Standard input on its way to the program. When the program takes no more, bytes
// are consumed and thrown away, as the host's writer must not wait for ever.
class InputPump {
 public:
  enum class Goal : std::uint8_t { kPipe, kTerminal };

  // Takes over nothing: the owner closes `fd` when ended() says so (kPipe only).
  InputPump(wire::Mux& mux, int fd, wire::StreamId stream, Goal goal)
      : mux_(mux), fd_(fd), stream_(stream), goal_(goal) {}

  void on_event() { writable_ = true; }
  void pump();

  // Whether the program is to see the end of its input now, or takes no more.
  [[nodiscard]] bool ended() const { return ended_; }

 private:
  // Writes to the descriptor; 0 when it would block or the program takes no more.
  [[nodiscard]] std::size_t put(Bytes bytes);

  wire::Mux& mux_;
  int fd_;
  wire::StreamId stream_;
  Goal goal_;
  bool writable_ = true;
  bool ended_ = false;
};

}  // namespace gondolin::guest
