// Frames to messages, replies to frames. See the header for how memory is bounded.
#include "vfs/fs_link.hpp"

#include <linux/fuse.h>

#include <algorithm>
#include <string>
#include <utility>

#include "base/check.hpp"
#include "wire/fuse_relay.hpp"

namespace gondolin::vfs {
namespace {

constexpr std::size_t kLargestReply = sizeof(fuse_out_header) + kMaxTransfer;
constexpr std::size_t kFramesOfReply = (kLargestReply + wire::kMaxPayload - 1) / wire::kMaxPayload;
constexpr std::size_t kFramedReply = kLargestReply + kFramesOfReply * wire::kHeaderSize;

// How many of the largest replies the output holds: so many messages can be in work
// at once when the guest does not read.
constexpr std::size_t kRepliesHeld = 8;

}  // namespace

FsLink::FsLink(Provider& provider, const DebugLog& log, std::function<void()> on_output)
    : on_output_(std::move(on_output)),
      link_(wire::Role::kHost, 0),
      output_(kRepliesHeld * kFramedReply),
      session_(provider, [this](std::span<const Bytes> reply) { send(reply); }, log) {
  message_.reserve(wire::kMaxFuseMessage);
  output_.put_encoded(wire::Link::renew());
}

void FsLink::restart() {
  link_.lose();
  start_over();
  output_.put_encoded(wire::Link::renew());
}

void FsLink::start_over() {
  session_.reset();
  output_.clear();
  message_.clear();
  complete_ = false;
}

MutableBytes FsLink::input_space() {
  return complete_ ? MutableBytes{} : link_.space();
}

void FsLink::input_received(std::size_t count) {
  link_.received(count);
}

FsLink::Outcome FsLink::next_event() {
  in_turn_ = true;
  Outcome outcome = advance();
  in_turn_ = false;
  return outcome;
}

FsLink::Outcome FsLink::advance() {
  while (true) {
    if (complete_) {
      if (output_.room() < (session_.unanswered() + 1) * kFramedReply) return std::nullopt;
      Outcome taken = take_message();
      if (!taken || *taken) return taken;
      continue;
    }
    auto next = link_.next();
    if (!next) return tl::unexpected(next.error());
    const std::optional<wire::LinkEvent> event = *next;
    if (!event) return std::nullopt;
    if (event->kind == wire::LinkEvent::Kind::kUp) {
      start_over();
      output_.put_encoded(link_.welcome());
      return FsEvent::kRestarted;
    }
    if (Status joined = join(event->frame); !joined) return tl::unexpected(joined.error());
  }
}

Status FsLink::join(const wire::Frame& frame) {
  if (frame.header.type != wire::FrameType::kMessage) {
    return fail(ErrorCode::kProtocol, "a frame on the fs port that is no FUSE message");
  }
  if (frame.payload.size() > wire::kMaxFuseMessage - message_.size()) {
    return fail(ErrorCode::kProtocol, "a FUSE message that is too long");
  }
  message_.insert(message_.end(), frame.payload.begin(), frame.payload.end());
  complete_ = (frame.header.flags & wire::kFlagMore) == 0;
  return {};
}

FsLink::Outcome FsLink::take_message() {
  const auto handled = session_.handle(message_);
  message_.clear();
  complete_ = false;
  if (!handled) return tl::unexpected(handled.error());
  if (*handled == Handled::kMounted) return FsEvent::kMounted;
  return std::nullopt;
}

// Cuts the reply, which lies in several parts, into frames.
void FsLink::send(std::span<const Bytes> reply) {
  std::size_t left = 0;
  for (Bytes part : reply)
    left += part.size();
  std::size_t part_at = 0;  // bytes of reply.front() that have been taken
  while (left > 0) {
    const MutableBytes frame = output_.reserve(std::min(left, wire::kMaxPayload));
    GONDOLIN_CHECK(frame.size() == std::min(left, wire::kMaxPayload));
    for (MutableBytes space = frame; !space.empty();) {
      const Bytes rest = reply.front().subspan(part_at);
      const std::size_t count = std::min(rest.size(), space.size());
      std::ranges::copy(rest.first(count), space.begin());
      space = space.subspan(count);
      part_at += count;
      if (part_at == reply.front().size()) {
        reply = reply.subspan(1);
        part_at = 0;
      }
    }
    left -= frame.size();
    const std::uint8_t flags = left > 0 ? wire::kFlagMore : std::uint8_t{0};
    output_.put_reserved({.type = wire::FrameType::kMessage, .flags = flags}, frame.size());
  }
  if (!in_turn_) on_output_();
}

}  // namespace gondolin::vfs
