#include "guest/common/mux_port.hpp"

#include <utility>

namespace gondolin::guest {
namespace {

// Times that it reads, and writes what is there, in one turn.
constexpr int kRounds = 4;

// Read before it is handed out, and what was answered is sent, however much more there is to
// read: each frame's way through the loopback costs as much as several reads, so those that
// came together go on together, and yet the host must not run out of credit meanwhile.
constexpr std::size_t kReadAhead = 64 * 1024;
constexpr std::size_t kInput = kReadAhead + 2 * wire::kMaxFrame;

}  // namespace

MuxPort::MuxPort(UniqueFd port, std::uint32_t window, Handler handler, DropAll drop_all)
    : port_(std::move(port)),
      mux_({.role = wire::Role::kGuest, .window = window, .input_capacity = kInput}),
      handler_(std::move(handler)),
      drop_all_(std::move(drop_all)) {
  mux_.greet(fresh_nonce());
}

Result<MuxPort::Turn> MuxPort::turn() {
  for (int round = 0; round < kRounds; ++round) {
    auto count = read_ahead();
    if (!count) return tl::unexpected(count.error());
    if (auto done = hand_out_events(); !done) return tl::unexpected(done.error());
    bool blocked = mux_.output().empty() || !port_.writable();
    if (blocked && *count == 0) return wait();
    if (auto done = flush(); !done) return tl::unexpected(done.error());
  }
  return Turn::kMore;
}

Result<std::size_t> MuxPort::read_ahead() {
  std::size_t ahead = 0;
  while (port_.readable() && ahead < kReadAhead) {
    MutableBytes space = mux_.input_space();
    if (space.empty()) break;
    auto count = port_.read(space);
    if (!count) return count;
    mux_.input_received(*count);
    ahead += *count;
  }
  return ahead;
}

Result<MuxPort::Turn> MuxPort::wait() {
  if (auto done = port_.expect(); !done) return tl::unexpected(done.error());
  return Turn::kBlocked;
}

Status MuxPort::hand_out_events() {
  while (true) {
    auto event = mux_.next_event();
    if (!event) return tl::unexpected(event.error());
    if (!*event) return {};
    switch ((*event)->kind) {
      case wire::MuxEvent::Kind::kUp:
        break;
      case wire::MuxEvent::Kind::kRenew:
        drop_all_();
        mux_.greet(fresh_nonce());
        break;
      default:
        handler_(**event);
    }
  }
}

Status MuxPort::flush() {
  while (port_.writable()) {
    Bytes frames = mux_.output();
    if (frames.empty()) break;
    auto count = port_.write(frames);
    if (!count) return tl::unexpected(count.error());
    mux_.output_sent(*count);
  }
  return {};
}

}  // namespace gondolin::guest
