#include "vm/mount_stream.hpp"

#include <linux/fuse.h>

#include <array>
#include <utility>

#include "io/spawn.hpp"

namespace gondolin::vm {
namespace {

constexpr std::size_t kReadSize = std::size_t{32} * 1024;

}  // namespace

MountStream::MountStream(const asio::any_io_executor& executor, const GuestMount& mount,
                         std::unique_ptr<MuxStream> stream, const DebugLog& log)
    : executor_(executor),
      path_(mount.target.path),
      log_(log),
      provider_(mount.provider),
      stream_(std::move(stream)),
      requests_(sizeof(fuse_in_header)),
      room_(executor),
      to_send_(executor),
      session_(*provider_, [this](std::span<const Bytes> parts) { answer(parts); }, log_) {}

void MountStream::serve() {
  spawn(executor_, [self = shared_from_this()] { return self->read_requests(); });
  spawn(executor_, [self = shared_from_this()] { return self->write_answers(); });
}

void MountStream::end() {
  if (std::exchange(ended_, true)) return;
  session_.reset();
  stream_->reset();
  room_.notify();
  to_send_.notify();
}

void MountStream::debug(const std::string& line) const {
  if (log_.enabled(DebugTopic::kVfs)) log_.line(DebugTopic::kVfs, "mount " + path_ + ": " + line);
}

Awaitable<void> MountStream::read_requests() {
  ByteBuffer buffer(kReadSize);
  while (!ended_) {
    auto count = co_await stream_->read_some(buffer);
    if (!count || *count == 0) {
      debug(count ? "the guest has ended it" : count.error().message);
      break;
    }
    if (!co_await take(Bytes(buffer).first(*count))) break;
  }
  end();
}

Awaitable<bool> MountStream::take(Bytes bytes) {
  while (!bytes.empty()) {
    auto taken = requests_.feed(bytes);
    if (!taken) {
      debug(taken.error().message);
      co_return false;
    }
    bytes = bytes.subspan(*taken);
    auto request = requests_.whole();
    if (!request) continue;
    while (!ended_ && session_.unanswered() + answers_.size() >= kInWork)
      co_await room_.wait();
    if (ended_) co_return false;
    auto handled = session_.handle(*request);
    if (!handled) {
      debug(handled.error().message);
      co_return false;
    }
    requests_.drop();
  }
  co_return true;
}

// Also told, without parts, of an answer that nobody waits for any more.
void MountStream::answer(std::span<const Bytes> parts) {
  if (parts.empty() || ended_) return room_.notify();
  ByteBuffer whole;
  for (const Bytes part : parts)
    whole.insert(whole.end(), part.begin(), part.end());
  answers_.push_back(std::move(whole));
  to_send_.notify();
}

Awaitable<void> MountStream::write_answers() {
  while (!ended_) {
    if (answers_.empty()) {
      co_await to_send_.wait();
      continue;
    }
    const ByteBuffer next = std::move(answers_.front());
    answers_.pop_front();
    const std::array<Bytes, 1> parts{Bytes(next)};
    // A stream that broke off ends this loop through the reading one.
    if (auto written = co_await stream_->write(parts); !written) co_return;
    room_.notify();
  }
}

}  // namespace gondolin::vm
