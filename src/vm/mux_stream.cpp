// The byte stream over one stream of the mux.
//
// The mux knows a stream until it is closed there (core_->release()), until the
// guest refuses it, or until the whole port starts over. Every way out of it goes
// through end().
#include <algorithm>
#include <cerrno>
#include <utility>

#include "io/pending_parts.hpp"
#include "vm/mux_core.hpp"

namespace gondolin::vm {
namespace {

Error refusal(std::uint32_t os_error) {
  auto code = [&] {
    switch (os_error) {
      case ECONNREFUSED:
      case EACCES:
        return ErrorCode::kRefused;
      case ENOENT:
        return ErrorCode::kNotFound;
      case ETIMEDOUT:
        return ErrorCode::kTimeout;
      case EMFILE:
      case ENFILE:
        return ErrorCode::kLimit;
      default:
        return ErrorCode::kIo;
    }
  };
  auto number = static_cast<int>(os_error);
  return {code(), "the guest answered: " + std::generic_category().message(number), number};
}

}  // namespace

MuxStream::MuxStream(std::shared_ptr<MuxCore> core, wire::StreamId id)
    : core_(std::move(core)),
      id_(id),
      answered_(core_->executor()),
      readable_(core_->executor()),
      writable_(core_->executor()) {}

MuxStream::~MuxStream() {
  if (state_ != State::kOver) core_->release(*this);
}

void MuxStream::end(Error why) {
  if (state_ == State::kOver) return;
  state_ = State::kOver;
  why_ = std::move(why);
  answered_.notify();
  readable_.notify();
  writable_.notify();
}

tl::unexpected<Error> MuxStream::ended() const {
  if (state_ == State::kOver) return tl::unexpected(why_);
  return fail(ErrorCode::kReset, "the guest reset the stream");
}

// --- what the guest does -------------------------------------------------------

void MuxStream::on_opened(std::uint32_t os_error) {
  if (os_error != 0) return end(refusal(os_error));
  state_ = State::kOpen;
  answered_.notify();
}

void MuxStream::on_readable() {
  if (wanted_.empty()) return;
  std::size_t count = take(wanted_);
  delivered_ += count;
  wanted_ = wanted_.subspan(count);
  readable_.notify();
}

void MuxStream::on_peer_reset() {
  peer_reset_ = true;
  readable_.notify();
  writable_.notify();
}

// --- what the owner does -------------------------------------------------------

Awaitable<Status> MuxStream::opened() {
  while (state_ == State::kOpening)
    co_await answered_.wait();
  if (state_ == State::kOver) co_return ended();
  co_return Status{};
}

std::size_t MuxStream::take(MutableBytes buffer) {
  std::size_t taken = 0;
  while (taken < buffer.size()) {
    Bytes bytes = core_->mux().read(id_);
    if (bytes.empty()) break;
    std::size_t count = std::min(bytes.size(), buffer.size() - taken);
    std::copy_n(bytes.begin(), count, buffer.begin() + static_cast<std::ptrdiff_t>(taken));
    core_->mux().consume(id_, count);
    taken += count;
  }
  if (taken > 0) core_->schedule_flush();
  return taken;
}

Awaitable<Result<std::size_t>> MuxStream::read_some(MutableBytes buffer) {
  while (state_ != State::kOver) {
    if (std::size_t count = take(buffer); count > 0) co_return count;
    if (ends_ || core_->mux().at_end(id_)) co_return 0;
    if (peer_reset_) break;
    wanted_ = buffer;
    delivered_ = 0;
    co_await readable_.wait();
    wanted_ = {};
    if (std::size_t count = std::exchange(delivered_, 0); count > 0) co_return count;
  }
  co_return ended();
}

std::size_t MuxStream::write_now(std::span<const Bytes> parts) {
  std::size_t taken = 0;
  for (Bytes part : parts) {
    if (state_ == State::kOver || peer_reset_) break;
    const std::size_t count = core_->mux().write(id_, part);
    taken += count;
    if (count < part.size()) break;
  }
  if (taken > 0) core_->schedule_flush();
  return taken;
}

Awaitable<Status> MuxStream::write(std::span<const Bytes> parts) {
  PendingParts<kMaxWriteParts> left(parts);
  while (!left.done()) {
    if (state_ == State::kOver || peer_reset_) co_return ended();
    left.advance(write_now(left.get()));
    if (!left.done()) co_await writable_.wait();
  }
  co_return Status{};
}

void MuxStream::shutdown_write() {
  if (state_ == State::kOver || peer_reset_ || std::exchange(finished_, true)) return;
  core_->mux().finish(id_);
  core_->schedule_flush();
}

void MuxStream::reset() noexcept {
  if (state_ != State::kOver) core_->release(*this);
  delivered_ = 0;
  // So short that the string needs no memory.
  end({ErrorCode::kCancelled, "it was reset"});
}

void MuxStream::end_after_received() {
  ends_ = true;
  readable_.notify();
}

}  // namespace gondolin::vm
