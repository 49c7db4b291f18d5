#include "vm/mux_channel.hpp"

#include <cerrno>
#include <numeric>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support.hpp"
#include "vm/guest_opener.hpp"

namespace gondolin::vm {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::HasSubstr;
using EventKind = wire::MuxEvent::Kind;

const std::size_t kWindow = wire::MuxOptions{.role = wire::Role::kGuest}.window;

Awaitable<Status> write_text(ByteStream& stream, std::string_view text) {
  std::array<Bytes, 1> parts{as_bytes(text)};
  co_return co_await stream.write(parts);
}

Awaitable<Result<std::string>> read_text(ByteStream& stream) {
  std::array<std::byte, 4096> buffer{};
  auto count = co_await stream.read_some(buffer);
  if (!count) co_return tl::unexpected(count.error());
  co_return std::string(as_text(Bytes(buffer).first(*count)));
}

// What a guest end may do with an event.
void accept(wire::Mux& mux, const wire::MuxEvent& event) {
  if (event.kind == EventKind::kOpen) mux.accept(event.stream);
}

void echo(wire::Mux& mux, const wire::MuxEvent& event) {
  accept(mux, event);
  bool moves = event.kind == EventKind::kReadable || event.kind == EventKind::kWritable ||
               event.kind == EventKind::kEnd;
  while (moves && !mux.read(event.stream).empty()) {
    std::size_t taken = mux.write(event.stream, mux.read(event.stream));
    if (taken == 0) break;
    mux.consume(event.stream, taken);
  }
  if (moves && mux.at_end(event.stream)) {
    mux.finish(event.stream);
    mux.close(event.stream);
  }
}

class MuxChannelTest : public testing::Test {
 protected:
  MuxChannelTest() {
    auto pair = make_socket_pair();
    guest_ = std::make_shared<GuestEnd>(loop_.executor(), std::move(pair.theirs),
                                        [this](wire::Mux& mux, const wire::MuxEvent& event) {
                                          seen_.push_back(event.kind);
                                          last_code_ = event.code;
                                          on_event_(mux, event);
                                        });
    channel_ = std::make_unique<MuxChannel>(loop_.executor(), std::move(pair.ours), "sandboxtest",
                                            [this](const ChannelEvent& event) {
                                              told_.push_back(event.kind);
                                              message_ = event.message;
                                            });
    guest_->start();
    loop_.run_until([this] { return channel_->up() && guest_->mux().up(); });
  }
  ~MuxChannelTest() override {
    channel_->close();
    guest_->close();
    loop_.settle();
  }

  std::unique_ptr<MuxStream> open() {
    auto stream = channel_->open(as_bytes("x"));
    EXPECT_TRUE(stream);
    return std::move(*stream);
  }

  Loop loop_;
  GuestEnd::Handler on_event_ = accept;
  std::vector<EventKind> seen_;  // by the guest end
  std::uint32_t last_code_ = 0;
  std::vector<ChannelEvent::Kind> told_;  // to the owner of the channel
  std::string message_;
  std::shared_ptr<GuestEnd> guest_;
  std::unique_ptr<MuxChannel> channel_;
};

TEST_F(MuxChannelTest, TellsThatTheGuestEndIsThere) {
  EXPECT_THAT(told_, ElementsAre(ChannelEvent::Kind::kUp));
}

TEST_F(MuxChannelTest, CarriesBytesBothWays) {
  on_event_ = echo;
  loop_.run([this]() -> Awaitable<void> {
    auto stream = open();
    EXPECT_TRUE(co_await write_text(*stream, "hello"));
    EXPECT_EQ(co_await read_text(*stream), "hello");
    stream->shutdown_write();
    EXPECT_EQ(co_await read_text(*stream), "");
    EXPECT_EQ(co_await read_text(*stream), "");
  });
}

TEST_F(MuxChannelTest, CarriesMegabytesIntact) {
  on_event_ = echo;
  std::string sent(3'000'000, '\0');
  for (std::size_t i = 0; i < sent.size(); ++i)
    sent[i] = static_cast<char>(i * 2654435761U >> 13);
  std::string got;
  auto stream = open();
  loop_.run([&]() -> Awaitable<void> {
    spawn(loop_.executor(), [&]() -> Awaitable<void> {
      EXPECT_TRUE(co_await write_text(*stream, sent));
      stream->shutdown_write();
    });
    while (true) {
      auto text = co_await read_text(*stream);
      EXPECT_TRUE(text);
      if (!text || text->empty()) break;
      got += *text;
    }
  });
  EXPECT_TRUE(got == sent);
}

TEST_F(MuxChannelTest, FirstBytesDoNotWaitForTheAnswer) {
  std::string first;
  on_event_ = [&](wire::Mux& mux, const wire::MuxEvent& event) {
    if (event.kind != EventKind::kReadable) return;
    first.clear();
    const wire::Pieces pieces = mux.pieces(event.stream);
    for (Bytes piece : pieces.all())
      first += as_text(piece);
    if (first.ends_with("HTTP/1.1")) mux.accept(event.stream);
  };
  GuestOpener opener(*channel_);
  loop_.run([&]() -> Awaitable<void> {
    std::array<Bytes, 2> parts{as_bytes("GET / "), as_bytes("HTTP/1.1")};
    auto stream = co_await opener.open(Port{80}, parts, 20s);
    EXPECT_TRUE(stream);
  });
  EXPECT_EQ(first, "GET / HTTP/1.1");
}

TEST_F(MuxChannelTest, TheTargetOfAnIngressStreamIsItsPort) {
  ByteBuffer target;
  on_event_ = [&](wire::Mux& mux, const wire::MuxEvent& event) {
    if (event.kind == EventKind::kOpen) target.assign(event.target.begin(), event.target.end());
    accept(mux, event);
  };
  GuestOpener opener(*channel_);
  loop_.run([&]() -> Awaitable<void> { EXPECT_TRUE(co_await opener.open(Port{0x1f90}, {}, 20s)); });
  EXPECT_THAT(target, ElementsAre(std::byte{0x90}, std::byte{0x1f}));
}

TEST_F(MuxChannelTest, ARefusedConnectionHasTheGuestsErrnoAndNamesThePort) {
  on_event_ = [](wire::Mux& mux, const wire::MuxEvent& event) {
    if (event.kind == EventKind::kOpen) mux.refuse(event.stream, ECONNREFUSED);
  };
  GuestOpener opener(*channel_);
  loop_.run([&]() -> Awaitable<void> {
    auto stream = co_await opener.open(Port{80}, {}, 20s);
    EXPECT_FALSE(stream);
    EXPECT_EQ(stream.error().code, ErrorCode::kRefused);
    EXPECT_EQ(stream.error().os_error, ECONNREFUSED);
    EXPECT_EQ(stream.error().message, "connect to port 80: Connection refused");
  });
}

TEST_F(MuxChannelTest, ARefusalIsHeardWhenFirstBytesWait) {
  on_event_ = [](wire::Mux& mux, const wire::MuxEvent& event) {
    if (event.kind == EventKind::kReadable) mux.refuse(event.stream, ECONNREFUSED);
  };
  GuestOpener opener(*channel_);
  const std::string large(2 * kWindow, 'x');
  loop_.run([&]() -> Awaitable<void> {
    std::array<Bytes, 1> parts{as_bytes(large)};
    auto stream = co_await opener.open(Port{80}, parts, 20s);
    EXPECT_FALSE(stream);
    EXPECT_EQ(stream.error().code, ErrorCode::kRefused);
  });
}

// A server that reads nothing for a while has taken the connection in time.
TEST_F(MuxChannelTest, FirstBytesThatAreNotTakenAreLeftToTheCaller) {
  GuestOpener opener(*channel_);
  const std::string sent = std::string(2 * kWindow, 'x') + "end";
  std::string received;
  loop_.run([&]() -> Awaitable<void> {
    std::array<Bytes, 1> first{as_bytes(sent)};
    auto opened = co_await opener.open(Port{80}, first, 20s);
    EXPECT_GT(opened.value().written, 0U);
    EXPECT_LT(opened->written, kWindow);
    on_event_ = [&](wire::Mux& mux, const wire::MuxEvent& event) {
      if (event.kind != EventKind::kReadable) return;
      while (!mux.read(event.stream).empty()) {
        const Bytes bytes = mux.read(event.stream);
        received += as_text(bytes);
        mux.consume(event.stream, bytes.size());
      }
    };
    std::array<Bytes, 1> rest{first[0].subspan(opened->written)};
    EXPECT_TRUE(co_await opened->stream->write(rest));
  });
  loop_.run_until([&] { return received == sent; });
}

TEST_F(MuxChannelTest, AConnectionThatIsNotAnsweredTimesOutAndIsReset) {
  on_event_ = [](wire::Mux&, const wire::MuxEvent&) {};
  GuestOpener opener(*channel_);
  loop_.run([&]() -> Awaitable<void> {
    auto stream = co_await opener.open(Port{80}, {}, 20ms);
    EXPECT_FALSE(stream);
    EXPECT_EQ(stream.error().code, ErrorCode::kTimeout);
  });
  loop_.run_until([this] { return seen_.back() == EventKind::kReset; });
}

TEST_F(MuxChannelTest, AWriterWaitsForAGuestThatDoesNotRead) {
  auto stream = open();
  std::optional<Status> written;
  spawn(loop_.executor(), [&]() -> Awaitable<void> {
    written = co_await write_text(*stream, std::string(1'000'000, 'x'));
  });
  loop_.run_until([this] { return guest_->mux().stream_count() == 1; });
  loop_.settle();
  EXPECT_FALSE(written.has_value());
  stream->reset();
  loop_.run_until([&] { return written.has_value(); });
  EXPECT_EQ(written->error().code, ErrorCode::kCancelled);
}

TEST_F(MuxChannelTest, ResetCancelsAReadAndReachesTheGuest) {
  auto stream = open();
  std::optional<Result<std::string>> got;
  spawn(loop_.executor(), [&]() -> Awaitable<void> { got = co_await read_text(*stream); });
  loop_.settle();
  stream->reset();
  stream->reset();
  loop_.run_until([&] { return got.has_value() && seen_.back() == EventKind::kReset; });
  EXPECT_EQ(got->error().code, ErrorCode::kCancelled);
  EXPECT_EQ(last_code_, static_cast<std::uint32_t>(wire::ResetReason::kClosed));
}

TEST_F(MuxChannelTest, WhatCameBeforeAResetCanStillBeRead) {
  on_event_ = [](wire::Mux& mux, const wire::MuxEvent& event) {
    if (event.kind != EventKind::kOpen) return;
    mux.accept(event.stream);
    EXPECT_EQ(mux.write(event.stream, as_bytes("413 too large")), 13U);
    mux.close(event.stream, wire::ResetReason::kPeerReset);
  };
  auto stream = open();
  loop_.run_until([this] { return guest_->mux().stream_count() == 0 && !seen_.empty(); });
  loop_.settle();
  loop_.run([&]() -> Awaitable<void> {
    EXPECT_EQ(co_await read_text(*stream), "413 too large");
    auto after = co_await read_text(*stream);
    EXPECT_FALSE(after);
    EXPECT_EQ(after.error().code, ErrorCode::kReset);
    auto written = co_await write_text(*stream, "more");
    EXPECT_FALSE(written);
    EXPECT_EQ(written.error().code, ErrorCode::kReset);
  });
}

TEST_F(MuxChannelTest, ARestartedGuestEndResetsEveryStreamAndIsTold) {
  auto stream = open();
  loop_.run([&]() -> Awaitable<void> {
    EXPECT_TRUE(co_await stream->opened());
    guest_->restart();
    guest_->schedule_flush();
    auto text = co_await read_text(*stream);
    EXPECT_FALSE(text);
    EXPECT_EQ(text.error().code, ErrorCode::kReset);
    EXPECT_THAT(text.error().message, HasSubstr("restarted"));
  });
  EXPECT_EQ(told_.back(), ChannelEvent::Kind::kRestarted);
  on_event_ = echo;
  loop_.run([this]() -> Awaitable<void> {
    auto next = open();
    EXPECT_TRUE(co_await write_text(*next, "again"));
    EXPECT_EQ(co_await read_text(*next), "again");
  });
}

TEST_F(MuxChannelTest, EndAfterReceivedGivesWhatIsThereAndThenTheEnd) {
  on_event_ = [](wire::Mux& mux, const wire::MuxEvent& event) {
    accept(mux, event);
    if (event.kind == EventKind::kOpen) {
      EXPECT_EQ(mux.write(event.stream, as_bytes("output")), 6U);
    }
  };
  auto stream = open();
  loop_.run([&]() -> Awaitable<void> {
    EXPECT_TRUE(co_await stream->opened());
    EXPECT_EQ(co_await read_text(*stream), "output");
    stream->end_after_received();
    EXPECT_EQ(co_await read_text(*stream), "");
  });
}

TEST_F(MuxChannelTest, DestroyingAStreamEndsItInTheGuest) {
  auto stream = open();
  loop_.run_until([this] { return guest_->mux().stream_count() == 1; });
  stream.reset();
  loop_.run_until([this] { return seen_.back() == EventKind::kReset; });
}

TEST_F(MuxChannelTest, AStreamMayOutliveItsChannel) {
  auto stream = open();
  channel_.reset();
  loop_.run([&]() -> Awaitable<void> {
    auto text = co_await read_text(*stream);
    EXPECT_FALSE(text);
    EXPECT_EQ(text.error().code, ErrorCode::kReset);
  });
  stream.reset();
  channel_ = std::make_unique<MuxChannel>(loop_.executor(), make_socket_pair().ours, "other",
                                          [](const ChannelEvent&) {});
}

TEST_F(MuxChannelTest, StreamsEndWhenTheSocketDoes) {
  auto stream = open();
  guest_->close();
  loop_.run([&]() -> Awaitable<void> {
    auto text = co_await read_text(*stream);
    EXPECT_FALSE(text);
    EXPECT_EQ(text.error().code, ErrorCode::kReset);
  });
  EXPECT_EQ(channel_->open(as_bytes("x")).error().code, ErrorCode::kUnavailable);
}

// A guest that speaks for itself, without a mux.
TEST(MuxChannel, ABrokenProtocolResetsEveryStreamAndTheNextGuestEndIsServed) {
  Loop loop;
  auto pair = make_socket_pair();
  std::vector<ChannelEvent> told;
  MuxChannel channel(loop.executor(), std::move(pair.ours), "sandboxtest",
                     [&](const ChannelEvent& event) { told.push_back(event); });
  EXPECT_EQ(channel.open(as_bytes("x")).error().code, ErrorCode::kUnavailable);
  auto hello = wire::encode_greeting(wire::FrameType::kHello, {.nonce = {}, .window = 1000});
  ASSERT_EQ(::write(pair.theirs.get(), hello.data(), hello.size()),
            static_cast<ssize_t>(hello.size()));
  loop.run_until([&] { return channel.up(); });
  auto stream = channel.open(as_bytes("x"));
  ASSERT_TRUE(stream);
  std::string garbage(64, '\xee');
  ASSERT_EQ(::write(pair.theirs.get(), garbage.data(), garbage.size()), 64);
  loop.run([&]() -> Awaitable<void> {
    auto text = co_await read_text(**stream);
    EXPECT_FALSE(text);
    EXPECT_EQ(text.error().code, ErrorCode::kReset);
  });
  ASSERT_EQ(told.size(), 2U);
  EXPECT_EQ(told[1].kind, ChannelEvent::Kind::kFailed);
  EXPECT_FALSE(told[1].message.empty());
  EXPECT_FALSE(channel.up());
  EXPECT_EQ(channel.open(as_bytes("x")).error().code, ErrorCode::kUnavailable);

  // What is still on its way is skipped, and so is a frame cut short.
  ASSERT_EQ(::write(pair.theirs.get(), garbage.data(), 30), 30);
  ASSERT_EQ(::write(pair.theirs.get(), hello.data(), hello.size()),
            static_cast<ssize_t>(hello.size()));
  loop.run_until([&] { return channel.up(); });
  EXPECT_EQ(told.back().kind, ChannelEvent::Kind::kRestarted);
  EXPECT_TRUE(channel.open(as_bytes("x")));
}

TEST(MuxChannel, AFrameThatDoesNotEndIsNotWaitedForAndHidesNoHello) {
  Loop loop;
  auto pair = make_socket_pair();
  std::vector<ChannelEvent> told;
  MuxChannel channel(loop.executor(), std::move(pair.ours), "sandboxtest",
                     [&](const ChannelEvent& event) { told.push_back(event); });
  auto hello = wire::encode_greeting(wire::FrameType::kHello, {.nonce = {}, .window = 1000});
  auto half = wire::encode({.type = wire::FrameType::kData, .stream = 1, .length = 30'000});
  std::string bytes(as_text(hello));
  bytes += as_text(half);
  bytes += as_text(hello);
  ASSERT_EQ(::write(pair.theirs.get(), bytes.data(), bytes.size()),
            static_cast<ssize_t>(bytes.size()));
  loop.run_until([&] { return told.size() >= 3; });
  EXPECT_EQ(told[1].kind, ChannelEvent::Kind::kFailed);
  EXPECT_EQ(told[1].message, "a frame that does not end");
  EXPECT_EQ(told[2].kind, ChannelEvent::Kind::kRestarted);
  EXPECT_TRUE(channel.up());
}

}  // namespace
}  // namespace gondolin::vm
