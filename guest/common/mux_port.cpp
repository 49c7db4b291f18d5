#include "guest/common/mux_port.hpp"

#include <utility>

namespace gondolin::guest {
namespace {

// Reads, or writes of all that is there, in one turn.
constexpr int kRounds = 32;

// Read before what was answered meanwhile is sent, however much more there is to read:
// a host that is out of credit must not wait for the end of what it has sent already.
constexpr std::size_t kReadAhead = 16 * 1024;

}  // namespace

MuxPort::MuxPort(UniqueFd port, std::uint32_t window, Handler handler, DropAll drop_all)
    : port_(std::move(port)),
      mux_({.role = wire::Role::kGuest, .window = window}),
      handler_(std::move(handler)),
      drop_all_(std::move(drop_all)) {
  mux_.greet(fresh_nonce());
}

Result<MuxPort::Turn> MuxPort::turn() {
  std::size_t ahead = 0;
  for (int round = 0; round < kRounds; ++round) {
    if (auto done = hand_out_events(); !done) return tl::unexpected(done.error());
    MutableBytes space{};
    if (port_.readable() && ahead < kReadAhead) space = mux_.input_space();
    if (!space.empty()) {
      auto count = port_.read(space);
      if (!count) return tl::unexpected(count.error());
      mux_.input_received(*count);
      ahead += *count;
      if (*count > 0) continue;
    }
    bool read_ahead = std::exchange(ahead, 0) >= kReadAhead;
    bool blocked = mux_.output().empty() || !port_.writable();
    if (blocked && !read_ahead) return wait();
    if (auto done = flush(); !done) return tl::unexpected(done.error());
  }
  auto done = flush();
  if (!done) return tl::unexpected(done.error());
  return Turn::kMore;
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
