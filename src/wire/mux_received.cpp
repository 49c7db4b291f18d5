// What streams have received, until their owners consume it. The rules are in mux.hpp.
//
// The payload of a frame stays where it was read to for as long as nothing else is read
// there, and so do those of the frames of the same stream right behind it: one event tells of
// all of them. What the owner leaves then goes to the stream's own buffer.
#include <algorithm>

#include "base/check.hpp"
#include "wire/mux_internal.hpp"

namespace gondolin::wire {
namespace {

// Buffers larger than this are given back when they have been read to the end.
constexpr std::size_t kKeptBuffer = 8 * 1024;

}  // namespace

// Bytes that still lie in the input move to the buffer of their stream.
void Mux::settle() {
  if (borrowed_.empty()) return;
  Stream& stream = streams_.at(borrower_);
  for (Bytes piece : borrowed_.all())
    append(stream, piece);
  borrowed_.clear();
}

void Mux::append(Stream& stream, Bytes bytes) {
  const std::size_t window = options_.window;
  auto& buffer = stream.received;
  if (stream.read_at > 0 && buffer.size() + bytes.size() > buffer.capacity()) {
    buffer.erase(buffer.begin(), buffer.begin() + static_cast<std::ptrdiff_t>(stream.read_at));
    stream.read_at = 0;
  }
  // By doubling, as a vector does, but never beyond what the window lets it hold.
  if (const std::size_t size = buffer.size() + bytes.size(); size > buffer.capacity()) {
    buffer.reserve(std::max(size, std::min(2 * buffer.capacity(), window)));
  }
  buffer.insert(buffer.end(), bytes.begin(), bytes.end());
}

Mux::Outcome Mux::on_data(std::uint32_t id, Stream& stream, Bytes payload) {
  if (stream.peer_finished) return violation("DATA after FIN", id);
  if (payload.size() > stream.receive_credit) return violation("DATA beyond the window", id);
  stream.receive_credit -= static_cast<std::uint32_t>(payload.size());
  if (stream.received.empty()) {
    borrower_ = id;
    borrowed_.add(payload);
    borrow_more(stream);
  } else {
    append(stream, payload);
  }
  return event(MuxEvent::Kind::kReadable, id);
}

// Takes the frames right behind that are DATA of the borrower too, and allowed.
void Mux::borrow_more(Stream& stream) {
  while (!borrowed_.full()) {
    auto frame = link_.peek();
    if (!frame || frame->header.type != FrameType::kData) return;
    if (frame->header.stream != borrower_ || frame->payload.size() > stream.receive_credit) return;
    link_.skip(*frame);
    stream.receive_credit -= static_cast<std::uint32_t>(frame->payload.size());
    borrowed_.add(frame->payload);
  }
}

Pieces Mux::pieces(StreamId id) const {
  const Stream& from = stream(id);
  if (!from.received.empty()) return Pieces(Bytes(from.received).subspan(from.read_at));
  return borrower_ == value_of(id) ? borrowed_ : Pieces{};
}

Bytes Mux::read(StreamId id) const {
  const Stream& from = stream(id);
  if (!from.received.empty()) return Bytes(from.received).subspan(from.read_at);
  return borrower_ == value_of(id) ? borrowed_.front() : Bytes{};
}

void Mux::consume(StreamId id, std::size_t count) {
  Stream& from = stream(id);
  GONDOLIN_CHECK(options_.role == Role::kHost || from.answered);
  if (from.received.empty()) {
    GONDOLIN_CHECK(count == 0 || borrower_ == value_of(id));
    borrowed_.consume(count);
  } else {
    GONDOLIN_CHECK(count <= from.received.size() - from.read_at);
    from.read_at += count;
  }
  if (!from.received.empty() && from.read_at == from.received.size()) {
    if (from.received.capacity() > kKeptBuffer) from.received = {};
    from.received.clear();
    from.read_at = 0;
  }
  from.to_return += static_cast<std::uint32_t>(count);
  std::uint32_t step = std::max(options_.window / 4, 1U);
  if (from.to_return >= step && !from.peer_finished) request(value_of(id), from, kPendingCredit);
}

bool Mux::at_end(StreamId id) const {
  return stream(id).peer_finished && read(id).empty();
}

void Mux::forget_input(StreamId id, Stream& stream) {
  if (borrower_ == value_of(id)) borrowed_.clear();
  stream.received = {};
  stream.read_at = 0;
}

}  // namespace gondolin::wire
