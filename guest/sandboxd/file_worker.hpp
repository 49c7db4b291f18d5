// One request about files: the files stream, and the process that serves it.
//
// The process is a fork of the daemon with nothing of it but two pipes, whose bytes are
// moved to and from the stream as they come. It lives until the stream is over and it
// has been waited for. When the host ends the stream, the pipes are closed, which tells
// the process to give up, and a little later it is killed. So it goes, too, when the daemon
// dies: what an atomic write has made beside its file is gone soon after.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <optional>

#include "base/result.hpp"
#include "base/unique_fd.hpp"
#include "guest/common/epoll.hpp"
#include "guest/sandboxd/pump.hpp"
#include "wire/mux.hpp"

namespace gondolin::guest {

class FileWorker {
 public:
  using Clock = std::chrono::steady_clock;

  // What epoll watches of it.
  enum class Descriptor : std::uint8_t { kPidfd, kInput, kOutput };

  // The started process and our ends of its pipes.
  struct Child {
    pid_t pid = -1;
    UniqueFd pidfd;
    UniqueFd input;
    UniqueFd output;
  };
  // kIo with an errno when there is no process to be had.
  [[nodiscard]] static Result<Child> start();

  // Takes `stream` over, which was accepted.
  FileWorker(wire::Mux& mux, wire::StreamId stream, Child child);
  FileWorker(const FileWorker&) = delete;
  FileWorker& operator=(const FileWorker&) = delete;

  // The descriptor, to be watched; -1 when it is closed.
  [[nodiscard]] int fd(Descriptor descriptor) const;

  void on_stream_event(const wire::MuxEvent& event);
  void on_descriptor_event(Descriptor descriptor);
  // The stream is gone, with the port.
  void abandon();

  [[nodiscard]] std::optional<Clock::time_point> deadline() const { return kill_at_; }
  void on_deadline();

  [[nodiscard]] bool has_stream() const { return stream_.has_value(); }
  // Whether nothing is left of it.
  [[nodiscard]] bool over() const { return !stream_ && child_.pid < 0; }

 private:
  void pump();
  void give_up();
  void reap();

  wire::Mux& mux_;
  std::optional<wire::StreamId> stream_;
  Child child_;
  std::optional<InputPump> input_;
  std::optional<OutputPump> output_;
  std::optional<Clock::time_point> kill_at_;
};

}  // namespace gondolin::guest
