// The rules of the mux one by one: each event, each violation, each bound.
#include "wire/mux.hpp"

#include <array>
#include <cerrno>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "unit/wire/mux_pair.hpp"

namespace gondolin::wire {
namespace {

using Kind = MuxEvent::Kind;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

std::vector<Kind> kinds(const std::vector<MuxEvent>& events) {
  std::vector<Kind> list;
  for (const auto& event : events)
    list.push_back(event.kind);
  return list;
}

class MuxRules : public testing::Test {
 protected:
  explicit MuxRules(std::size_t flight_limit = SIZE_MAX)
      : pair_(65536, 65536, 4096, flight_limit) {}
  void SetUp() override { pair_.connect(); }

  // Opens a stream that the guest end accepts.
  StreamId open() {
    auto id = pair_.host.open(as_bytes("t")).value();
    pair_.pump_to_guest();
    MuxPair::events(pair_.guest);
    pair_.guest.accept(id);
    pair_.pump_to_host();
    MuxPair::events(pair_.host);
    return id;
  }

  static ByteBuffer frame(FrameType type, std::uint32_t stream, Bytes payload = {}) {
    auto head = encode(
        {.type = type, .stream = stream, .length = static_cast<std::uint32_t>(payload.size())});
    ByteBuffer bytes(head.begin(), head.end());
    bytes.insert(bytes.end(), payload.begin(), payload.end());
    return bytes;
  }
  static ByteBuffer frame_u32(FrameType type, std::uint32_t stream, std::uint32_t value) {
    ByteBuffer payload(4);
    store_u32(payload, value);
    return frame(type, stream, payload);
  }

  // What the host's end says to bytes of a guest that breaks the rules.
  std::string host_error(const std::vector<ByteBuffer>& frames) {
    for (const auto& bytes : frames)
      pair_.to_host.put(bytes);
    std::string error = "no error";
    while (error == "no error" && pair_.to_host.unload(pair_.host) > 0) {
      error = error_of(pair_.host);
    }
    return error;
  }
  std::string guest_error(const std::vector<ByteBuffer>& frames) {
    for (const auto& bytes : frames)
      pair_.to_guest.put(bytes);
    pair_.to_guest.unload(pair_.guest);
    return error_of(pair_.guest);
  }
  static std::string error_of(Mux& mux) {
    while (true) {
      auto event = mux.next_event();
      if (!event) return event.error().message;
      if (!*event) return "no error";
    }
  }

  MuxPair pair_;
};

TEST_F(MuxRules, EarlyDataComesRightBehindOpen) {
  auto id = pair_.host.open(as_bytes("port")).value();
  EXPECT_EQ(pair_.host.write(id, as_bytes("request")), 7U);
  pair_.pump_to_guest();
  auto open = pair_.guest.next_event().value().value();
  EXPECT_EQ(open.kind, Kind::kOpen);
  EXPECT_EQ(as_text(open.target), "port");
  EXPECT_EQ(pair_.guest.next_event().value().value().kind, Kind::kReadable);
  EXPECT_EQ(as_text(pair_.guest.read(id)), "request");
}

TEST_F(MuxRules, ARefusalEndsTheStreamOnBothSides) {
  auto id = pair_.host.open(as_bytes("t")).value();
  static_cast<void>(pair_.host.write(id, as_bytes("lost")));
  pair_.pump_to_guest();
  MuxPair::events(pair_.guest);
  pair_.guest.refuse(id, ECONNREFUSED);
  pair_.pump_to_host();
  auto events = MuxPair::events(pair_.host);
  ASSERT_THAT(kinds(events), ElementsAre(Kind::kOpened));
  EXPECT_EQ(events[0].code, static_cast<std::uint32_t>(ECONNREFUSED));
  EXPECT_EQ(pair_.host.stream_count(), 0U);
  EXPECT_EQ(pair_.guest.stream_count(), 0U);
}

TEST_F(MuxRules, BytesBeforeAResetCanStillBeRead) {
  auto id = open();
  static_cast<void>(pair_.guest.write(id, as_bytes("413")));
  pair_.guest.close(id, ResetReason::kPeerReset);
  pair_.pump_to_host();
  EXPECT_THAT(kinds(MuxPair::events(pair_.host)), ElementsAre(Kind::kReadable, Kind::kReset));
  EXPECT_EQ(as_text(pair_.host.read(id)), "413");
  pair_.host.consume(id, 3);
  EXPECT_FALSE(pair_.host.at_end(id));
  EXPECT_EQ(pair_.host.write(id, as_bytes("x")), 0U);
  pair_.host.close(id);
  EXPECT_EQ(pair_.host.stream_count(), 0U);
}

TEST_F(MuxRules, AWriterStopsAtTheWindowAndGoesOnAfterAQuarterIsConsumed) {
  auto id = open();
  std::string block(100000, 'x');
  std::size_t sent = pair_.host.write(id, as_bytes(block));
  while (pair_.to_guest.load(pair_.host) > 0) {
    MuxPair::events(pair_.host);
    sent += pair_.host.write(id, as_bytes(block));
  }
  EXPECT_EQ(sent, 65536U);
  while (pair_.to_guest.unload(pair_.guest) > 0)
    MuxPair::events(pair_.guest);
  EXPECT_EQ(pair_.guest.read(id).size(), 65536U);
  pair_.guest.consume(id, 16383);
  pair_.pump_to_host();
  EXPECT_THAT(MuxPair::events(pair_.host), IsEmpty());
  pair_.guest.consume(id, 1);
  pair_.pump_to_host();
  EXPECT_THAT(kinds(MuxPair::events(pair_.host)), ElementsAre(Kind::kWritable));
  EXPECT_EQ(pair_.host.write(id, as_bytes(block)), 16384U);
}

// With room for one stream's window in flight.
class MuxFlight : public MuxRules {
 protected:
  MuxFlight() : MuxRules(65536) {}
  void SetUp() override {
    MuxRules::SetUp();
    for (StreamId& id : ids_)
      id = open();
  }

  // What the host's end takes of a stream until it takes no more.
  std::size_t fill(StreamId id) {
    const ByteBuffer block(100000);
    std::size_t sent = 0;
    while (std::size_t taken = pair_.host.write(id, block)) {
      sent += taken;
      pass_on();
    }
    return sent;
  }

  void pass_on() {
    while (pair_.to_guest.load(pair_.host) > 0) {
      MuxPair::events(pair_.host);
      while (pair_.to_guest.unload(pair_.guest) > 0)
        MuxPair::events(pair_.guest);
    }
  }

  void consume(StreamId id, std::size_t count) {
    pair_.guest.consume(id, count);
    pair_.pump_to_host();
  }

  std::array<StreamId, 4> ids_;
};

TEST_F(MuxFlight, StreamsHaveAQuarterOfTheirWindowsOnceMuchIsInFlight) {
  EXPECT_EQ(fill(ids_[0]), 65536U);
  EXPECT_EQ(fill(ids_[1]), 16384U);
  EXPECT_EQ(fill(ids_[2]), 16384U);
}

TEST_F(MuxFlight, AStreamThatHasItsQuarterInFlightGoesOnWhenThatIsConsumed) {
  for (StreamId id : ids_)
    fill(id);
  consume(ids_[2], 16384);
  EXPECT_THAT(kinds(MuxPair::events(pair_.host)), ElementsAre(Kind::kWritable));
  EXPECT_EQ(fill(ids_[2]), 16384U);
}

TEST_F(MuxFlight, WindowsAreWholeAgainWhenAStreamThatStoodStillEnds) {
  for (StreamId id : ids_)
    fill(id);
  pair_.host.close(ids_[0]);
  pass_on();
  for (std::size_t i = 1; i < ids_.size(); ++i)
    consume(ids_[i], 16384);
  EXPECT_THAT(kinds(MuxPair::events(pair_.host)),
              ElementsAre(Kind::kWritable, Kind::kWritable, Kind::kWritable));
  EXPECT_EQ(fill(ids_[3]), 65536U);
}

TEST_F(MuxRules, FramesThatCameTogetherAreOneEventInPieces) {
  auto id = open();
  auto other = open();
  for (const char* word : {"one", "two", "three"})
    static_cast<void>(pair_.host.write(id, as_bytes(word)));
  static_cast<void>(pair_.host.write(other, as_bytes("x")));
  pair_.pump_to_guest();
  ASSERT_EQ(pair_.guest.next_event().value().value().kind, Kind::kReadable);
  Pieces pieces = pair_.guest.pieces(id);
  ASSERT_EQ(pieces.all().size(), 3U);
  EXPECT_EQ(as_text(pieces.all()[2]), "three");
  EXPECT_TRUE(pair_.guest.pieces(other).empty());

  pair_.guest.consume(id, 4);  // into the second
  EXPECT_EQ(as_text(pair_.guest.read(id)), "wo");
  pieces = pair_.guest.pieces(id);
  EXPECT_EQ(pieces.all().size(), 2U);
  EXPECT_EQ(pair_.guest.next_event().value().value().stream, other);
  EXPECT_EQ(as_text(pair_.guest.read(id)), "wothree");  // moved together
  pair_.guest.consume(id, 7);
  EXPECT_TRUE(pair_.guest.pieces(id).empty());
}

TEST_F(MuxRules, MoreFramesThanThereArePiecesAreMoreEvents) {
  auto id = open();
  for (std::size_t i = 0; i < Pieces::kMost + 1; ++i)
    static_cast<void>(pair_.host.write(id, as_bytes("ab")));
  pair_.pump_to_guest();
  EXPECT_THAT(kinds(MuxPair::events(pair_.guest)), ElementsAre(Kind::kReadable, Kind::kReadable));
  EXPECT_EQ(pair_.guest.read(id).size(), 2 * (Pieces::kMost + 1));
}

TEST_F(MuxRules, StreamsTakeTurnsWhenThereIsNoRoom) {
  auto bulk = open();
  auto small = open();
  std::string block(60000, 'b');
  EXPECT_LT(pair_.guest.write(bulk, as_bytes(block)), block.size());
  EXPECT_EQ(pair_.guest.write(small, as_bytes("s")), 0U);
  static_cast<void>(pair_.guest.output());  // one buffer leaves, room comes back
  auto turns = MuxPair::events(pair_.guest);
  ASSERT_THAT(kinds(turns), ElementsAre(Kind::kWritable, Kind::kWritable));
  EXPECT_EQ(turns[0].stream, bulk);
  EXPECT_EQ(turns[1].stream, small);
  // The second in line comes before the first has a second turn.
  EXPECT_LT(pair_.guest.write(bulk, as_bytes("more")), 5U);
  EXPECT_EQ(pair_.guest.write(small, as_bytes("s")), 1U);
}

TEST_F(MuxRules, TheGuestsOutputIsWholeFramesThatFitOneWrite) {
  auto first = open();
  auto second = open();
  std::string block(50000, 'b');
  std::size_t sent[2] = {};
  for (int round = 0; round < 10; ++round) {
    sent[0] += pair_.guest.write(first, as_bytes(block).subspan(sent[0]));
    sent[1] += pair_.guest.write(second, as_bytes(block).subspan(sent[1]));
    Bytes output = pair_.guest.output();
    ASSERT_LE(output.size(), kMaxFrame);
    Bytes rest = output;
    while (!rest.empty()) {
      auto header = decode_header(rest.first(kHeaderSize));
      ASSERT_TRUE(header.has_value());
      ASSERT_LE(kHeaderSize + header->length, rest.size());
      rest = rest.subspan(kHeaderSize + header->length);
    }
    pair_.guest.output_sent(output.size());
    MuxPair::events(pair_.guest);
  }
}

TEST_F(MuxRules, TooManyStreamsAreRefusedOnEitherSide) {
  MuxPair pair(65536, 65536, 2);
  pair.connect();
  ASSERT_TRUE(pair.host.open(as_bytes("a")).has_value());
  ASSERT_TRUE(pair.host.open(as_bytes("b")).has_value());
  EXPECT_EQ(pair.host.open(as_bytes("c")).error().code, ErrorCode::kLimit);

  Mux roomy({.role = Role::kHost});
  Mux tight({.role = Role::kGuest, .max_streams = 1});
  Pipe there;
  Pipe back;
  tight.greet(nonce_of(1));
  back.load(tight);
  back.unload(roomy);
  MuxPair::events(roomy);
  auto first = roomy.open(as_bytes("a")).value();
  auto second = roomy.open(as_bytes("b")).value();
  while (there.load(roomy) > 0) {
  }
  there.unload(tight);
  EXPECT_THAT(kinds(MuxPair::events(tight)), ElementsAre(Kind::kUp, Kind::kOpen));
  tight.accept(first);
  back.load(tight);
  back.unload(roomy);
  auto answers = MuxPair::events(roomy);
  ASSERT_EQ(answers.size(), 2U);
  for (const auto& answer : answers) {
    EXPECT_EQ(answer.code, answer.stream == second ? static_cast<std::uint32_t>(EMFILE) : 0U);
  }
}

TEST_F(MuxRules, FramesForARetiredStreamAreIgnored) {
  auto id = open();
  auto raw = static_cast<std::uint32_t>(id);
  pair_.host.close(id);
  while (pair_.to_guest.load(pair_.host) > 0) {
  }
  EXPECT_EQ(pair_.host.stream_count(), 0U);
  EXPECT_EQ(host_error({frame(FrameType::kData, raw, as_bytes("late")),
                        frame_u32(FrameType::kCredit, raw, 5), frame(FrameType::kFin, raw),
                        frame_u32(FrameType::kReset, raw, 0)}),
            "no error");
}

TEST_F(MuxRules, AnUnsentOpenThatIsClosedNeverLeaves) {
  std::string big(kMaxPayload, 't');
  auto first = pair_.host.open(as_bytes(big)).value();
  auto second = pair_.host.open(as_bytes(big)).value();
  auto third = pair_.host.open(as_bytes(big)).value();
  pair_.host.close(third);
  while (pair_.to_guest.load(pair_.host) > 0) {
  }
  std::vector<StreamId> opened;
  while (pair_.to_guest.unload(pair_.guest) > 0) {
    for (const auto& event : MuxPair::events(pair_.guest)) {
      ASSERT_EQ(event.kind, Kind::kOpen);
      opened.push_back(event.stream);
    }
  }
  EXPECT_THAT(opened, ElementsAre(first, second));
}

// Each violation by a guest (or, last, by a host) on a stream that stands, and the
// sentence that names it.
class MuxViolation : public MuxRules {
 protected:
  void SetUp() override {
    MuxRules::SetUp();
    id_ = static_cast<std::uint32_t>(open());
  }
  ByteBuffer data(std::size_t size = 1) {
    return frame(FrameType::kData, id_, ByteBuffer(size, std::byte{'x'}));
  }
  std::uint32_t id_ = 0;
};

TEST_F(MuxViolation, StreamThatWasNeverOpened) {
  EXPECT_THAT(host_error({frame(FrameType::kFin, id_ + 1)}), HasSubstr("never opened"));
}
TEST_F(MuxViolation, SecondOpened) {
  EXPECT_THAT(host_error({frame_u32(FrameType::kOpened, id_, 0)}), HasSubstr("second OPENED"));
}
TEST_F(MuxViolation, DataBeyondTheWindow) {
  EXPECT_THAT(host_error({data(32756), data(32756), data(25)}), HasSubstr("beyond the window"));
}
TEST_F(MuxViolation, CreditBeyondTheWindow) {
  EXPECT_THAT(host_error({frame_u32(FrameType::kCredit, id_, 1)}), HasSubstr("CREDIT beyond"));
}
TEST_F(MuxViolation, CreditOfNothing) {
  EXPECT_THAT(host_error({frame_u32(FrameType::kCredit, id_, 0)}), HasSubstr("CREDIT beyond"));
}
TEST_F(MuxViolation, SecondFin) {
  EXPECT_THAT(host_error({frame(FrameType::kFin, id_), frame(FrameType::kFin, id_)}),
              HasSubstr("second FIN"));
}
TEST_F(MuxViolation, DataAfterFin) {
  EXPECT_THAT(host_error({frame(FrameType::kFin, id_), data()}), HasSubstr("DATA after FIN"));
}
TEST_F(MuxViolation, AnythingAfterReset) {
  EXPECT_THAT(host_error({frame_u32(FrameType::kReset, id_, 0), data()}), HasSubstr("after RESET"));
}
TEST_F(MuxViolation, OpenFromTheGuest) {
  EXPECT_THAT(host_error({frame(FrameType::kOpen, id_ + 1)}), HasSubstr("may not send"));
}
TEST_F(MuxViolation, MessageOnAPortOfStreams) {
  EXPECT_THAT(host_error({frame(FrameType::kMessage, 0)}), HasSubstr("MESSAGE"));
}
TEST_F(MuxViolation, DataBeforeOpened) {
  auto fresh = pair_.host.open(as_bytes("t")).value();
  static_cast<void>(pair_.host.output());
  EXPECT_THAT(
      host_error({frame(FrameType::kData, static_cast<std::uint32_t>(fresh), as_bytes("x"))}),
      HasSubstr("before OPENED"));
}
TEST_F(MuxViolation, IdUsedTwiceByAHost) {
  EXPECT_THAT(guest_error({frame(FrameType::kOpen, id_)}), HasSubstr("used before"));
}

}  // namespace
}  // namespace gondolin::wire
