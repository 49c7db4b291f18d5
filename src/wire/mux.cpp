// The life of streams: what the owner asks for and what the other end sends. The
// rules are in mux.hpp.
#include "wire/mux.hpp"

#include <algorithm>
#include <cerrno>

#include "base/check.hpp"
#include "wire/data_frame.hpp"
#include "wire/mux_internal.hpp"

namespace gondolin::wire {
namespace {

// A turn with less room than this would only make crumbs.
constexpr std::size_t kLeastTurn = 1024;

// Ids that lie this far back can no longer be told from future ones.
constexpr std::uint32_t kIdHorizon = 1U << 31;

}  // namespace

Mux::Mux(const MuxOptions& options)
    : options_(options),
      link_(options.role, options.window, options.input_capacity),
      output_(options.role == Role::kGuest ? kMaxFrame : options.output_capacity) {
  GONDOLIN_CHECK(options.window > 0);
  if (options.role == Role::kHost) output_.put_encoded(Link::renew());
}

void Mux::greet(const Nonce& nonce) {
  drop_all();
  output_.put_encoded(link_.greet(nonce));
}

void Mux::restart() {
  GONDOLIN_CHECK(options_.role == Role::kHost);
  drop_all();
  link_.lose();
  output_.put_encoded(Link::renew());
}

void Mux::drop_all() {
  output_.clear();
  streams_.clear();
  urgent_.clear();
  line_.clear();
  held_.reset();
  borrowed_.clear();
  reserved_for_ = 0;
  opened_since_up_ = 0;
  in_flight_ = 0;
}

void Mux::forget(Streams::iterator stream) {
  in_flight_ -= link_.peer_window() - stream->second.send_credit;
  streams_.erase(stream);
  GONDOLIN_CHECK(!streams_.empty() || in_flight_ == 0);
}

Mux::Stream& Mux::stream(StreamId id) {
  auto found = streams_.find(value_of(id));
  GONDOLIN_CHECK(found != streams_.end() && !found->second.closed);
  return found->second;
}

const Mux::Stream& Mux::stream(StreamId id) const {
  return const_cast<Mux*>(this)->stream(id);
}

bool Mux::was_opened(std::uint32_t id) const {
  std::uint32_t age = last_opened_ - id;
  return age < kIdHorizon && age < opened_since_up_;
}

// --- input -------------------------------------------------------------------

MutableBytes Mux::input_space() {
  settle();
  if (held_) return {};
  return link_.space();
}

void Mux::input_received(std::size_t count) {
  link_.received(count);
}

Mux::Outcome Mux::next_event() {
  settle();
  if (held_) {
    Frame frame = *std::exchange(held_, std::nullopt);
    auto refused = on_open(frame);
    if (!refused || *refused || held_) return refused;
  }
  while (true) {
    auto link_event = link_.next();
    if (!link_event) return tl::unexpected(link_event.error());
    if (!*link_event) return next_turn();
    switch ((*link_event)->kind) {
      case LinkEvent::Kind::kUp:
        // The guest's streams went away with greet(), and nothing was put out since.
        if (options_.role == Role::kHost) {
          drop_all();
          output_.put_encoded(link_.welcome());
        }
        if (link_.peer_window() == 0) {
          return fail(ErrorCode::kProtocol, "handshake: a window of 0 bytes");
        }
        return MuxEvent{.kind = MuxEvent::Kind::kUp};
      case LinkEvent::Kind::kRenew:
        drop_all();
        return MuxEvent{.kind = MuxEvent::Kind::kRenew};
      case LinkEvent::Kind::kFrame: {
        auto outcome = handle((*link_event)->frame);
        if (!outcome || *outcome || held_) return outcome;
        break;
      }
    }
  }
}

Mux::Outcome Mux::handle(const Frame& frame) {
  std::uint32_t id = frame.header.stream;
  if (frame.header.type == FrameType::kMessage) {
    return fail(ErrorCode::kProtocol, "MESSAGE on a port that carries streams");
  }
  if (frame.header.type == FrameType::kOpen) return on_open(frame);
  auto found = streams_.find(id);
  if (found == streams_.end()) {
    if (was_opened(id)) return std::nullopt;  // retired here before the other end knew
    return violation("frame of a stream that was never opened", id);
  }
  Stream& stream = found->second;
  if (stream.reset) return violation("frame after RESET", id);
  if (options_.role == Role::kHost && !stream.answered && frame.header.type != FrameType::kOpened) {
    return violation("frame before OPENED", id);
  }
  if (stream.closed && frame.header.type != FrameType::kReset) return std::nullopt;
  switch (frame.header.type) {
    case FrameType::kOpened:
      return on_opened(id, stream, load_u32(frame.payload));
    case FrameType::kData:
      return on_data(id, stream, frame.payload);
    case FrameType::kCredit:
      return on_credit(id, stream, load_u32(frame.payload));
    case FrameType::kFin:
      return on_fin(id, stream);
    case FrameType::kReset:
      return on_reset(id, stream, load_u32(frame.payload));
    default:
      return violation("frame that belongs to no stream", id);
  }
}

Mux::Outcome Mux::on_open(const Frame& frame) {
  std::uint32_t id = frame.header.stream;
  std::uint32_t step = id - last_opened_;
  bool first = opened_since_up_ == 0;
  if (!first && (step == 0 || step >= kIdHorizon))
    return violation("OPEN of an id used before", id);
  if (streams_.size() >= options_.max_streams) {
    if (!urgent_.empty() || output_.room() < kHeaderSize + 4) {
      held_ = frame;
      return std::nullopt;
    }
    output_.put({.type = FrameType::kOpened, .stream = id}, encode_u32(EMFILE));
  } else {
    Stream& stream = streams_[id];
    stream.receive_credit = options_.window;
    stream.send_credit = link_.peer_window();
  }
  opened_since_up_ += first ? 1 : step;
  last_opened_ = id;
  if (!streams_.contains(id)) return std::nullopt;
  MuxEvent opened = event(MuxEvent::Kind::kOpen, id);
  opened.target = frame.payload;
  return opened;
}

Mux::Outcome Mux::on_opened(std::uint32_t id, Stream& stream, std::uint32_t code) {
  if (stream.answered) return violation("second OPENED", id);
  if (stream.pending & kPendingOpen) return violation("OPENED before OPEN", id);
  stream.answered = true;
  if (code != 0) forget(streams_.find(id));
  return event(MuxEvent::Kind::kOpened, id, code);
}

Mux::Outcome Mux::on_credit(std::uint32_t id, Stream& stream, std::uint32_t amount) {
  if (amount == 0 || amount > link_.peer_window() - stream.send_credit) {
    return violation("CREDIT beyond the window", id);
  }
  stream.send_credit += amount;
  in_flight_ -= amount;
  if (!std::exchange(stream.wants_credit, false)) return std::nullopt;
  return event(MuxEvent::Kind::kWritable, id);
}

Mux::Outcome Mux::on_fin(std::uint32_t id, Stream& stream) {
  if (std::exchange(stream.peer_finished, true)) return violation("second FIN", id);
  return event(MuxEvent::Kind::kEnd, id);
}

Mux::Outcome Mux::on_reset(std::uint32_t id, Stream& stream, std::uint32_t code) {
  if (stream.closed) {
    forget(streams_.find(id));
    return std::nullopt;
  }
  stream.reset = true;
  return event(MuxEvent::Kind::kReset, id, code);
}

// --- output ------------------------------------------------------------------

Bytes Mux::output() {
  GONDOLIN_CHECK(reserved_for_ == 0);
  Bytes bytes = output_.front();
  send_pending();
  return bytes.empty() ? output_.front() : bytes;
}

void Mux::output_sent(std::size_t count) {
  output_.sent(count);
}

// Puts `frames` (of Pending) of a stream into the output, now or when there is
// room. The stream may be gone afterwards.
void Mux::request(std::uint32_t id, Stream& stream, unsigned frames) {
  if (stream.reset) return;
  const bool waits = stream.pending != 0;
  if (!waits) urgent_.push_back(id);  // first what may fail: without it a frame waits forever
  stream.pending |= frames;
  if (!waits && urgent_.size() == 1) send_pending();
}

void Mux::send_pending() {
  while (!urgent_.empty()) {
    auto found = streams_.find(urgent_.front());
    if (found != streams_.end() && !send_pending(found->first, found->second)) return;
    urgent_.pop_front();
  }
}

// Sends what waits on one stream; false when room ran out before all was sent.
bool Mux::send_pending(std::uint32_t id, Stream& stream) {
  if (stream.reset) return true;
  auto put = [&](Pending which, FrameType type, Bytes payload) {
    if ((stream.pending & which) == 0) return true;
    if (output_.room() < kHeaderSize + payload.size()) return false;
    output_.put({.type = type, .stream = id}, payload);
    stream.pending &= ~which;
    return true;
  };
  if (stream.pending & kPendingReset) {
    // Nothing else matters any more, and of an OPEN that never left nobody knows.
    if ((stream.pending & kPendingOpen) == 0 &&
        !put(kPendingReset, FrameType::kReset, encode_u32(stream.code))) {
      return false;
    }
    forget(streams_.find(id));
    return true;
  }
  if (!put(kPendingOpen, FrameType::kOpen, stream.target)) return false;
  stream.target = {};
  if (!put(kPendingOpened, FrameType::kOpened, encode_u32(stream.code))) return false;
  if (stream.peer_finished) stream.pending &= ~kPendingCredit;
  if (stream.pending & kPendingCredit) {
    if (!put(kPendingCredit, FrameType::kCredit, encode_u32(stream.to_return))) return false;
    stream.receive_credit += std::exchange(stream.to_return, 0);
  }
  if (!put(kPendingFin, FrameType::kFin, {})) return false;
  if (stream.closed) forget(streams_.find(id));
  return true;
}

// --- streams -----------------------------------------------------------------

Result<StreamId> Mux::open(Bytes target) {
  GONDOLIN_CHECK(options_.role == Role::kHost && target.size() <= kMaxPayload);
  if (!up()) return fail(ErrorCode::kUnavailable, "the guest's end of the port is not there");
  if (streams_.size() >= options_.max_streams) {
    return fail(ErrorCode::kLimit, "too many streams are open");
  }
  do {
    ++last_opened_;
    ++opened_since_up_;
  } while (last_opened_ == 0 || streams_.contains(last_opened_));
  Stream opened;
  opened.target.assign(target.begin(), target.end());
  opened.receive_credit = options_.window;
  opened.send_credit = link_.peer_window();
  urgent_.push_back(last_opened_);  // to nobody, which does no harm, if the rest fails
  opened.pending = kPendingOpen;
  streams_.emplace(last_opened_, std::move(opened));
  if (urgent_.size() == 1) send_pending();
  return StreamId{last_opened_};
}

void Mux::accept(StreamId id) {
  Stream& accepted = stream(id);
  GONDOLIN_CHECK(options_.role == Role::kGuest && !accepted.answered);
  accepted.answered = true;
  request(value_of(id), accepted, kPendingOpened);
}

void Mux::refuse(StreamId id, std::uint32_t os_error) {
  Stream& refused = stream(id);
  GONDOLIN_CHECK(options_.role == Role::kGuest && !refused.answered && os_error != 0);
  forget_input(id, refused);
  refused.answered = refused.closed = true;
  refused.code = os_error;
  request(value_of(id), refused, kPendingOpened);
}

std::size_t Mux::write(StreamId id, Bytes bytes) {
  std::size_t taken = 0;
  while (taken < bytes.size()) {
    MutableBytes place = write_space(id);
    if (place.empty()) break;
    std::size_t count = std::min(place.size(), bytes.size() - taken);
    std::copy_n(bytes.begin() + static_cast<std::ptrdiff_t>(taken), count, place.begin());
    commit(id, count);
    taken += count;
  }
  return taken;
}

MutableBytes Mux::write_space(StreamId id) {
  Stream& to = stream(id);
  GONDOLIN_CHECK(!to.finished && reserved_for_ == 0);
  GONDOLIN_CHECK(options_.role == Role::kHost || to.answered);
  if (to.reset) return {};
  const std::uint32_t credit = usable_credit(to);
  if (credit == 0) {
    to.wants_credit = true;
    to.has_turn = false;
    return {};
  }
  if (!may_take_room(value_of(id), to)) return {};
  reserved_for_ = value_of(id);
  return output_.reserve(std::min<std::size_t>(credit, kMaxData));
}

void Mux::commit(StreamId id, std::size_t count) {
  Stream& to = stream(id);
  GONDOLIN_CHECK(reserved_for_ == value_of(id) && count <= to.send_credit);
  reserved_for_ = 0;
  if (count == 0) return;
  output_.put_reserved({.type = FrameType::kData, .stream = value_of(id)}, count);
  to.send_credit -= static_cast<std::uint32_t>(count);
  in_flight_ += count;
  to.has_turn = false;
}

// What of its credit a stream may use while so much is in flight on all of them.
std::uint32_t Mux::usable_credit(const Stream& stream) const {
  if (in_flight_ < options_.flight_limit) return stream.send_credit;
  const std::uint32_t window = link_.peer_window();
  const std::uint32_t spared = window - std::max(window / 4, 1U);
  return stream.send_credit > spared ? stream.send_credit - spared : 0;
}

// Whether the stream may put a DATA frame into the output now; it goes to the
// line when not, to its head when it had a turn that came to nothing.
bool Mux::may_take_room(std::uint32_t id, Stream& stream) {
  if (stream.in_line) return false;
  skip_gone();
  bool room = urgent_.empty() && output_.room() >= kHeaderSize + kLeastTurn;
  if (room && (stream.has_turn || line_.empty())) return true;
  if (stream.has_turn) {
    line_.push_front(id);
  } else {
    line_.push_back(id);
  }
  stream.in_line = true;
  return false;
}

void Mux::skip_gone() {
  while (!line_.empty()) {
    auto found = streams_.find(line_.front());
    if (found != streams_.end() && found->second.in_line && !found->second.closed &&
        !found->second.reset) {
      return;
    }
    line_.pop_front();
  }
}

// kWritable for the stream at the head of the line, when there is room for it.
std::optional<MuxEvent> Mux::next_turn() {
  skip_gone();
  if (line_.empty() || !urgent_.empty()) return std::nullopt;
  if (output_.room() < kHeaderSize + kLeastTurn) return std::nullopt;
  std::uint32_t id = line_.front();
  line_.pop_front();
  Stream& stream = streams_.at(id);
  stream.in_line = false;
  stream.has_turn = true;
  return event(MuxEvent::Kind::kWritable, id);
}

void Mux::finish(StreamId id) {
  Stream& to = stream(id);
  GONDOLIN_CHECK(!to.finished && reserved_for_ == 0);
  GONDOLIN_CHECK(options_.role == Role::kHost || to.answered);
  to.finished = true;
  request(value_of(id), to, kPendingFin);
}

void Mux::close(StreamId id, ResetReason reason) {
  Stream& ended = stream(id);
  GONDOLIN_CHECK(reserved_for_ != value_of(id));
  forget_input(id, ended);
  ended.closed = true;
  const bool in_order = ended.finished && ended.peer_finished;
  if (!ended.reset && !in_order) {
    ended.code = static_cast<std::uint32_t>(reason);
    request(value_of(id), ended, kPendingReset);
  } else if (ended.reset || ended.pending == 0) {
    forget(streams_.find(value_of(id)));
  }
}

}  // namespace gondolin::wire
