// Two muxes driven by random choices over a port that cuts bytes anywhere, and
// what must hold whatever the choices: bytes arrive complete and in order, ends
// and resets arrive, nothing stalls, nothing outgrows its bound.
#include <algorithm>
#include <map>
#include <random>
#include <string>

#include "unit/wire/mux_pair.hpp"

namespace gondolin::wire {
namespace {

constexpr std::size_t kMaxStreams = 12;

// The byte at `offset` of the stream called `name`, in one direction.
std::byte byte_of(std::uint32_t name, std::size_t offset) {
  return static_cast<std::byte>((name * 2654435761U + offset * 40503U) >> 7);
}

// One end: its mux and what it believes of every stream.
struct End {
  struct Side {
    std::size_t sent = 0;
    std::size_t received = 0;
    std::size_t wanted = 0;  // bytes this end will send before it finishes
    bool finished = false;
    bool saw_end = false;
    bool was_reset = false;
    bool opened = false;
  };

  Mux& mux;
  Pipe& out;
  std::uint32_t salt;
  std::uint32_t peer_salt;
  std::map<StreamId, Side> streams;
  std::map<StreamId, std::size_t>* totals = nullptr;  // what this end sent in all, after finish
};

class MuxProperty : public testing::TestWithParam<unsigned> {
 protected:
  MuxProperty()
      : random_(GetParam()),
        host_window_(window()),
        guest_window_(window()),
        pair_(host_window_, guest_window_, kMaxStreams, flight_limit()),
        host_{pair_.host, pair_.to_guest, 1, 2, {}, &host_totals_},
        guest_{pair_.guest, pair_.to_host, 2, 1, {}, &guest_totals_} {}

  std::size_t pick(std::size_t below) { return random_() % below; }
  std::uint32_t window() {
    constexpr std::uint32_t kWindows[] = {1, 2, 3, 100, 4096, 65536, 200000};
    return kWindows[pick(std::size(kWindows))];
  }
  std::size_t flight_limit() {
    constexpr std::size_t kLimits[] = {0, 5000, 150000, SIZE_MAX};
    return kLimits[pick(std::size(kLimits))];
  }

  void handle_events(End& end) {
    while (true) {
      auto event = end.mux.next_event();
      ASSERT_TRUE(event.has_value()) << event.error().message;
      if (!*event) return;
      handle(end, **event);
    }
  }

  void handle(End& end, const MuxEvent& event) {
    switch (event.kind) {
      case MuxEvent::Kind::kUp:
        end.streams.clear();
        return;
      case MuxEvent::Kind::kRenew:
        end.streams.clear();
        end.mux.greet(nonce_of(++nonces_));
        return;
      case MuxEvent::Kind::kOpen: {
        ASSERT_EQ(as_text(event.target), "target");
        if (pick(8) == 0) {
          end.mux.refuse(event.stream, 111);
        } else {
          end.mux.accept(event.stream);
          end.streams[event.stream] = {.wanted = amount(), .opened = true};
        }
        return;
      }
      case MuxEvent::Kind::kOpened:
        if (event.code != 0) {
          end.streams.erase(event.stream);
        } else {
          end.streams.at(event.stream).opened = true;
        }
        return;
      case MuxEvent::Kind::kReset:
        end.streams.at(event.stream).was_reset = true;
        return;
      case MuxEvent::Kind::kEnd:
        end.streams.at(event.stream).saw_end = true;
        return;
      case MuxEvent::Kind::kReadable:
        ASSERT_FALSE(end.mux.read(event.stream).empty());
        return;
      case MuxEvent::Kind::kWritable:
        write_some(end, event.stream, end.streams.at(event.stream));
        return;
    }
  }

  std::size_t amount() {
    constexpr std::size_t kAmounts[] = {0, 1, 17, 5000, 70000, 300000};
    std::size_t most = std::min<std::size_t>(host_window_, guest_window_) * 1000;
    return std::min(most, pick(kAmounts[pick(std::size(kAmounts))] + 1));
  }

  void write_some(End& end, StreamId id, End::Side& side) {
    if (side.finished || side.was_reset) return;
    ByteBuffer bytes(std::min(side.wanted - side.sent, pick(50000) + 1));
    for (std::size_t i = 0; i < bytes.size(); ++i) {
      bytes[i] = byte_of(static_cast<std::uint32_t>(id) * 8 + end.salt, side.sent + i);
    }
    side.sent += end.mux.write(id, bytes);
    if (side.sent == side.wanted) {
      end.mux.finish(id);
      side.finished = true;
      (*end.totals)[id] = side.sent;
    }
  }

  void read_some(End& end, StreamId id, End::Side& side, std::size_t limit) {
    if (!side.opened) return;
    Bytes bytes = end.mux.read(id);
    bytes = bytes.first(std::min(limit, bytes.size()));
    for (std::size_t i = 0; i < bytes.size(); ++i) {
      ASSERT_EQ(bytes[i],
                byte_of(static_cast<std::uint32_t>(id) * 8 + end.peer_salt, side.received + i));
    }
    side.received += bytes.size();
    end.mux.consume(id, bytes.size());
  }

  // Closes the stream when everything about it is over.
  void close_if_done(End& end, StreamId id) {
    const auto& side = end.streams.at(id);
    bool ended = side.was_reset ? end.mux.read(id).empty() : side.finished && end.mux.at_end(id);
    if (!ended) return;
    if (!side.was_reset) {
      const auto& totals = &end == &host_ ? guest_totals_ : host_totals_;
      ASSERT_EQ(side.received, totals.at(id));
    }
    end.mux.close(id);
    end.streams.erase(id);
  }

  void open_one() {
    auto id = host_.mux.open(as_bytes("target"));
    if (!id) return;
    ASSERT_TRUE(host_.streams.emplace(*id, End::Side{.wanted = amount()}).second);
  }

  void random_step() {
    End& end = pick(2) == 0 ? host_ : guest_;
    switch (pick(12)) {
      case 0:
        open_one();
        return;
      case 1:
      case 2:
        pair_.to_guest.load(host_.mux, pick(70000));
        return;
      case 3:
      case 4:
        pair_.to_host.load(guest_.mux);
        return;
      case 5:
      case 6:
        pair_.to_guest.unload(guest_.mux, pick(70000));
        handle_events(guest_);
        return;
      case 7:
      case 8:
        pair_.to_host.unload(host_.mux, pick(70000));
        handle_events(host_);
        return;
      default:
        if (!end.streams.empty()) touch_one(end);
    }
  }

  void touch_one(End& end) {
    auto it = std::next(end.streams.begin(), static_cast<std::ptrdiff_t>(pick(end.streams.size())));
    auto& [id, side] = *it;
    if (pick(40) == 0) {
      end.mux.close(id, ResetReason::kPeerReset);
      end.streams.erase(it);
    } else if (pick(2) == 0) {
      write_some(end, id, side);
    } else {
      read_some(end, id, side, pick(80000));
      close_if_done(end, id);
    }
  }

  // A new guest end: the old one's half-written frame to it is lost anywhere.
  void restart_guest() {
    pair_.to_guest.drop(pick(pair_.to_guest.size() + 1));
    guest_.streams.clear();
    guest_.mux.greet(nonce_of(++nonces_));
  }

  // No more random choices: everything must come to its end.
  void finish_everything() {
    for (int round = 0; round < 200000; ++round) {
      for (End* end : {&host_, &guest_}) {
        for (auto it = end->streams.begin(); it != end->streams.end();) {
          auto id = it->first;
          if (it->second.opened || end == &host_) write_some(*end, id, it->second);
          read_some(*end, id, it->second, SIZE_MAX);
          ++it;
          close_if_done(*end, id);
        }
        end->out.load(end->mux);
      }
      pair_.to_guest.unload(guest_.mux);
      pair_.to_host.unload(host_.mux);
      handle_events(host_);
      handle_events(guest_);
      if (HasFatalFailure()) return;
      bool quiet = pair_.to_guest.size() == 0 && pair_.to_host.size() == 0 &&
                   host_.mux.output().empty() && guest_.mux.output().empty();
      if (quiet && host_.streams.empty() && guest_.streams.empty()) return;
    }
    FAIL() << "streams stalled: " << host_.streams.size() << " on the host, "
           << guest_.streams.size() << " in the guest";
  }

  std::mt19937 random_;
  unsigned nonces_ = 0;
  std::uint32_t host_window_;
  std::uint32_t guest_window_;
  MuxPair pair_;
  std::map<StreamId, std::size_t> host_totals_;
  std::map<StreamId, std::size_t> guest_totals_;
  End host_;
  End guest_;
};

TEST_P(MuxProperty, EveryStreamArrivesWholeOrEndsByReset) {
  guest_.mux.greet(nonce_of(++nonces_));
  for (int step = 0; step < 6000; ++step) {
    random_step();
    if (HasFatalFailure()) return;
    ASSERT_LE(host_.mux.stream_count(), kMaxStreams);
    ASSERT_LE(guest_.mux.stream_count(), kMaxStreams);
  }
  finish_everything();
  EXPECT_EQ(host_.mux.stream_count(), 0U);
  EXPECT_EQ(guest_.mux.stream_count(), 0U);
}

TEST_P(MuxProperty, AGuestEndThatRestartsAnywhereIsFoundAgain) {
  guest_.mux.greet(nonce_of(++nonces_));
  for (int life = 0; life < 8; ++life) {
    for (int step = 0; step < 600; ++step) {
      random_step();
      if (HasFatalFailure()) return;
    }
    restart_guest();
  }
  finish_everything();
  EXPECT_TRUE(host_.mux.up());
  EXPECT_TRUE(guest_.mux.up());
  EXPECT_EQ(guest_.mux.stream_count(), 0U);
}

INSTANTIATE_TEST_SUITE_P(Seeds, MuxProperty, testing::Range(1U, 21U));

}  // namespace
}  // namespace gondolin::wire
