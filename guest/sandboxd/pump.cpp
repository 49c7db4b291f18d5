#include "guest/sandboxd/pump.hpp"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "base/check.hpp"

namespace gondolin::guest {
namespace {

constexpr int kThrownAwayAtOnce = 64;

// The terminal's end-of-file character, as programs set it by default.
constexpr std::array<std::byte, 1> kEndOfFile{std::byte{4}};

}  // namespace

OutputPump::Progress OutputPump::pump() {
  if (!stream_) return to_nowhere();
  to_stream();
  return Progress::kBlocked;
}

void OutputPump::to_stream() {
  while (readable_ && !ended_) {
    MutableBytes space = mux_.write_space(*stream_);
    if (space.empty()) return;
    mux_.commit(*stream_, get(space));
  }
  if (ended_ && stream_) {
    mux_.finish(*stream_);
    stream_.reset();
  }
}

OutputPump::Progress OutputPump::to_nowhere() {
  std::array<std::byte, 4096> scratch;
  for (int i = 0; i < kThrownAwayAtOnce && readable_ && !ended_; ++i) {
    static_cast<void>(get(scratch));
  }
  return drained() ? Progress::kBlocked : Progress::kMore;
}

// A terminal that everybody else has closed says EIO.
std::size_t OutputPump::get(MutableBytes space) {
  ssize_t count = ::read(fd_, space.data(), space.size());
  if (count > 0) return static_cast<std::size_t>(count);
  if (count < 0 && errno == EAGAIN) {
    readable_ = false;
  } else if (count == 0 || errno != EINTR) {
    ended_ = true;
  }
  return 0;
}

void InputPump::pump() {
  while (true) {
    Bytes bytes = mux_.read(stream_);
    if (bytes.empty()) break;
    std::size_t count = ended_ ? bytes.size() : put(bytes);
    if (count == 0 && !ended_) return;
    mux_.consume(stream_, count);
  }
  if (!mux_.at_end(stream_) || ended_) return;
  if (goal_ == Goal::kTerminal && put(kEndOfFile) == 0 && !ended_) return;
  ended_ = true;
}

std::size_t InputPump::put(Bytes bytes) {
  if (!writable_) return 0;
  ssize_t count = ::write(fd_, bytes.data(), bytes.size());
  if (count > 0) return static_cast<std::size_t>(count);
  if (count < 0 && errno == EAGAIN) {
    writable_ = false;
  } else if (count < 0 && errno != EINTR) {
    ended_ = true;
  }
  return 0;
}

}  // namespace gondolin::guest
