#include "guest/sandboxmounts/mount.hpp"

#include <linux/fuse.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>

namespace gondolin::guest {

Mount::Mount(wire::Mux& mux, Epoll& epoll, wire::StreamId stream, Mounter& mounter,
             Mounter::Process mounting)
    : mux_(mux),
      epoll_(epoll),
      stream_(stream),
      mounter_(mounter),
      mounting_(std::move(mounting)),
      request_(wire::kMaxFuseMessage),
      answers_(sizeof(fuse_out_header)) {}

Mount::~Mount() {
  if (mounting_.pid >= 0) mounter_.abandon(mounting_.pid);
}

Mount::State Mount::end() {
  mux_.close(stream_, wire::ResetReason::kPeerReset);
  return State::kGone;
}

Mount::State Mount::on_descriptor_event(std::uint32_t) {
  if (mounting_.pid > 0) return on_mounted();
  device_readable_ = true;
  return pump_requests();
}

Mount::State Mount::on_mounted() {
  int status = 0;
  if (::waitpid(mounting_.pid, &status, WNOHANG) != mounting_.pid) return State::kThere;
  mounting_.pid = -1;
  mounting_.pidfd.reset();
  const int os_error = WIFEXITED(status) ? WEXITSTATUS(status) : EIO;
  if (os_error != 0) {
    mux_.refuse(stream_, static_cast<std::uint32_t>(os_error));
    return State::kGone;
  }
  device_ = std::move(mounting_.device);
  device_readable_ = true;
  mux_.accept(stream_);
  const auto tag = static_cast<std::uint32_t>(stream_);
  // The kernel wakes us for each request, and for the end of the mount.
  if (!epoll_.add(device_.get(), EPOLLIN | EPOLLET, tag)) return end();
  return pump_requests();
}

Mount::State Mount::on_stream_event(const wire::MuxEvent& event) {
  switch (event.kind) {
    case wire::MuxEvent::Kind::kReadable:
      return pump_answers();
    case wire::MuxEvent::Kind::kWritable:
      return pump_requests();
    case wire::MuxEvent::Kind::kEnd:
    case wire::MuxEvent::Kind::kReset:
      return end();
    default:
      return State::kThere;
  }
}

Mount::State Mount::pump_requests() {
  while (device_.valid()) {
    if (request_size_ > 0) {
      const Bytes rest = Bytes(request_).first(request_size_).subspan(request_sent_);
      request_sent_ += mux_.write(stream_, rest);
      if (request_sent_ < request_size_) return State::kThere;  // kWritable follows
      request_size_ = request_sent_ = 0;
    }
    if (!device_readable_) return State::kThere;
    const ssize_t count = ::read(device_.get(), request_.data(), request_.size());
    if (count > 0) {
      request_size_ = static_cast<std::size_t>(count);
      continue;
    }
    switch (count == 0 ? ENODEV : errno) {
      case EINTR:
      case ENOENT:  // the request was interrupted as it was read
        continue;
      case EAGAIN:
        device_readable_ = false;
        return State::kThere;
      default:  // ENODEV: somebody has unmounted it
        return end();
    }
  }
  return State::kThere;
}

Mount::State Mount::pump_answers() {
  while (true) {
    const Bytes bytes = mux_.read(stream_);
    if (bytes.empty()) return State::kThere;
    auto taken = answers_.feed(bytes);
    if (!taken) return end();
    mux_.consume(stream_, *taken);
    auto answer = answers_.whole();
    if (!answer) continue;
    // One that is refused is for a request that was given up (ENOENT), or the kernel has
    // failed the request with it (EINVAL). The end of the mount shows in reading.
    while (device_.valid() && ::write(device_.get(), answer->data(), answer->size()) < 0 &&
           errno == EINTR) {
    }
    answers_.drop();
  }
}

}  // namespace gondolin::guest
