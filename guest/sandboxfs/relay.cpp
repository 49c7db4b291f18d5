#include "guest/sandboxfs/relay.hpp"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <optional>

#include "wire/fuse_relay.hpp"

namespace gondolin::guest {
namespace {

enum Tag : std::uint64_t { kPortTag, kDeviceTag };

// The kernel wakes us for each request, and for the end of the mount.
constexpr std::uint32_t kDeviceEvents = EPOLLIN | EPOLLET;

}  // namespace

FuseRelay::FuseRelay(Epoll epoll, UniqueFd port, Mounting mounting)
    : epoll_(std::move(epoll)),
      port_(std::move(port)),
      mounting_(std::move(mounting)),
      link_(wire::Role::kGuest, 0),
      output_(wire::kMaxFrame),
      request_(wire::kMaxFuseMessage) {
  reply_.reserve(wire::kMaxFuseMessage);
}

Status FuseRelay::serve() {
  if (auto added = port_.watch(epoll_, kPortTag); !added) return added;
  if (auto started = start_over(); !started) return started;
  while (true) {
    auto done = step();
    if (!done) return tl::unexpected(done.error());
    if (*done == Step::kProgress) continue;
    if (auto expected = port_.expect(); !expected) return expected;
    auto events = epoll_.wait(std::nullopt);
    if (!events) return tl::unexpected(events.error());
    for (const auto& event : *events) {
      if (event.data.u64 == kPortTag) port_.on_event(event.events);
      if (event.data.u64 == kDeviceTag) device_readable_ = true;
    }
  }
}

// Answers go to the device before more requests are read from it, and everything
// that is there leaves in one write.
Result<FuseRelay::Step> FuseRelay::step() {
  if (auto handled = handle_events(); !handled) return tl::unexpected(handled.error());
  if (unmounted_) {
    if (auto started = start_over(); !started) return tl::unexpected(started.error());
  }
  for (auto part : {&FuseRelay::read_port, &FuseRelay::read_device, &FuseRelay::write_port}) {
    auto done = (this->*part)();
    if (!done || *done == Step::kProgress) return done;
  }
  return Step::kIdle;
}

// The host answers while the old mount, which takes a while, is undone; the answer is
// read after that.
Status FuseRelay::start_over() {
  request_size_ = request_sent_ = 0;
  reply_.clear();
  output_.clear();
  output_.put_encoded(link_.greet(fresh_nonce()));
  auto greeted = write_port();
  if (!unused()) {
    device_.reset();
    mounting_.detach();
    device_readable_ = false;
  }
  unmounted_ = false;
  introducing_ = device_.valid();
  return greeted ? Status{} : tl::unexpected(greeted.error());
}

Status FuseRelay::mount() {
  auto device = mounting_.mount();
  if (!device) return tl::unexpected(device.error());
  device_ = std::move(*device);
  device_readable_ = true;
  requests_ = 0;
  init_reply_.clear();
  return epoll_.add(device_.get(), kDeviceEvents, kDeviceTag);
}

bool FuseRelay::unused() const {
  return device_.valid() && !unmounted_ && requests_ == 1 && !init_reply_.empty();
}

// Shows a mount that is there to a new host.
void FuseRelay::introduce() {
  std::ranges::copy(init_, request_.begin());
  request_size_ = init_.size();
  frame_request();
}

// --- the port ------------------------------------------------------------------

Status FuseRelay::handle_events() {
  while (true) {
    auto event = link_.next();
    if (!event) return tl::unexpected(event.error());
    if (!*event) return {};
    Status done;
    switch ((*event)->kind) {
      case wire::LinkEvent::Kind::kUp:
        if (introducing_)
          introduce();
        else
          done = mount();
        break;
      case wire::LinkEvent::Kind::kRenew:
        done = start_over();
        break;
      case wire::LinkEvent::Kind::kFrame:
        done = on_frame((*event)->frame);
        break;
    }
    if (!done) return done;
  }
}

Result<FuseRelay::Step> FuseRelay::read_port() {
  if (!port_.readable()) return Step::kIdle;
  auto count = port_.read(link_.space());
  if (!count) return tl::unexpected(count.error());
  link_.received(*count);
  return *count > 0 ? Step::kProgress : Step::kIdle;
}

Result<FuseRelay::Step> FuseRelay::write_port() {
  if (!port_.writable()) return Step::kIdle;
  const Bytes frames = output_.front();
  if (frames.empty()) return Step::kIdle;
  auto count = port_.write(frames);
  if (!count) return tl::unexpected(count.error());
  output_.sent(*count);
  return *count > 0 ? Step::kProgress : Step::kIdle;
}

Status FuseRelay::on_frame(const wire::Frame& frame) {
  if (frame.header.type != wire::FrameType::kMessage) {
    return fail(ErrorCode::kProtocol, "a frame on the fs port that is no FUSE message");
  }
  if (frame.payload.size() > wire::kMaxFuseMessage - reply_.size()) {
    return fail(ErrorCode::kProtocol, "a FUSE message that is too long");
  }
  reply_.insert(reply_.end(), frame.payload.begin(), frame.payload.end());
  if ((frame.header.flags & wire::kFlagMore) != 0) return {};
  return write_device();
}

// --- the device ----------------------------------------------------------------

Result<FuseRelay::Step> FuseRelay::read_device() {
  if (request_size_ > 0) {
    frame_request();
    if (request_size_ > 0) return Step::kIdle;  // no room
  }
  if (!device_.valid() || !device_readable_ || introducing_) return Step::kIdle;
  const ssize_t count = ::read(device_.get(), request_.data(), request_.size());
  if (count > 0) {
    request_size_ = static_cast<std::size_t>(count);
    if (requests_++ == 0) init_.assign(request_.begin(), request_.begin() + count);
    frame_request();
    return Step::kProgress;
  }
  switch (count == 0 ? ENODEV : errno) {
    case EINTR:
    case ENOENT:  // the request was interrupted as it was read
      return Step::kProgress;
    case EAGAIN:
      device_readable_ = false;
      return Step::kIdle;
    case ENODEV:        // unmounted
    case ECONNABORTED:  // aborted through /sys/fs/fuse/connections
      unmounted_ = true;
      return Step::kProgress;
    default:
      return fail_errno("reading /dev/fuse", errno);
  }
}

// Frames as much of the request as there is room for.
void FuseRelay::frame_request() {
  while (request_sent_ < request_size_) {
    const Bytes rest = Bytes(request_).first(request_size_).subspan(request_sent_);
    const MutableBytes frame = output_.reserve(rest.size());
    if (frame.empty()) return;
    std::ranges::copy(rest.first(frame.size()), frame.begin());
    const std::uint8_t flags = frame.size() < rest.size() ? wire::kFlagMore : std::uint8_t{0};
    output_.put_reserved({.type = wire::FrameType::kMessage, .flags = flags}, frame.size());
    request_sent_ += frame.size();
  }
  request_size_ = request_sent_ = 0;
}

Status FuseRelay::write_device() {
  if (introducing_) {
    introducing_ = false;
    unmounted_ = reply_ != init_reply_;  // what the kernel was told would not be true
    reply_.clear();
    return {};
  }
  if (requests_ == 1) init_reply_ = reply_;
  while (device_.valid()) {
    if (::write(device_.get(), reply_.data(), reply_.size()) >= 0) break;
    if (errno == EINTR) continue;
    if (errno == ENODEV || errno == EPERM) unmounted_ = true;
    // What is left is an answer to a request that was given up (ENOENT), or one that
    // the kernel refuses (EINVAL) after failing the request with it.
    break;
  }
  reply_.clear();
  return {};
}

}  // namespace gondolin::guest
