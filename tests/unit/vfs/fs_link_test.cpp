// The fs port's framing, handshake and bounds, with a guest that speaks by hand.
#include "vfs/fs_link.hpp"

#include <cstring>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "fuse_guest.hpp"
#include "slow_provider.hpp"
#include "wire/fuse_relay.hpp"

namespace gondolin::vfs {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

std::string text(Bytes bytes) {
  return std::string(as_text(bytes));
}

std::string frame(wire::FrameType type, std::string_view payload, std::uint8_t flags = 0) {
  const auto header = wire::encode(
      {.type = type, .flags = flags, .length = static_cast<std::uint32_t>(payload.size())});
  return text(header) + std::string(payload);
}

std::string hello() {
  wire::Nonce nonce{};
  nonce.fill(std::byte{7});
  return text(wire::encode_greeting(wire::FrameType::kHello, {.nonce = nonce}));
}

std::string message(std::uint32_t opcode, std::uint64_t unique, std::string_view body) {
  return frame(wire::FrameType::kMessage, text(fuse_message(opcode, unique, 1, body)));
}

std::string getattr(std::uint64_t unique) {
  return message(FUSE_GETATTR, unique, raw(fuse_getattr_in{}));
}

std::string read_request(std::uint64_t unique) {
  fuse_read_in in{};
  in.size = kMaxTransfer;
  return message(FUSE_READ, unique, raw(in));
}

// Joins the messages in `bytes`, which are whole frames.
std::vector<std::string> messages_in(std::string_view bytes) {
  std::vector<std::string> messages;
  bool more = false;
  while (!bytes.empty()) {
    const auto header = wire::decode_header(as_bytes(bytes.substr(0, wire::kHeaderSize)));
    if (!header || header->type != wire::FrameType::kMessage) return {"not a message"};
    if (!more) messages.emplace_back();
    messages.back() += bytes.substr(wire::kHeaderSize, header->length);
    more = (header->flags & wire::kFlagMore) != 0;
    bytes.remove_prefix(wire::kHeaderSize + header->length);
  }
  if (more) messages.emplace_back("cut off");
  return messages;
}

class Link : public testing::Test {
 protected:
  // Gives `bytes` to the link as it has room for them; false when it takes no more.
  // Events and the error land in events_.
  bool feed(std::string_view bytes) {
    while (!bytes.empty()) {
      const MutableBytes space = link_.input_space();
      if (space.empty()) return false;
      const std::size_t count = std::min(space.size(), bytes.size());
      std::memcpy(space.data(), bytes.data(), count);
      link_.input_received(count);
      bytes.remove_prefix(count);
      take_events();
    }
    return true;
  }
  void take_events() {
    while (true) {
      const auto event = link_.next_event();
      if (!event) {
        events_.push_back("error: " + event.error().message);
        return;
      }
      if (!*event) return;
      events_.push_back(**event == FsEvent::kRestarted ? "restarted" : "mounted");
    }
  }
  std::string drain() {
    std::string sent;
    while (!link_.output().empty()) {
      sent += as_text(link_.output());
      link_.output_sent(link_.output().size());
    }
    return sent;
  }
  void mount() {
    feed(hello() + message(FUSE_INIT, 1, raw(init_body())));
    drain();
    events_.clear();
  }

  SlowProvider provider_;
  DebugLog log_;
  int woken_ = 0;
  FsLink link_{provider_, log_, [this] { ++woken_; }};
  std::vector<std::string> events_;
};

TEST_F(Link, AsksTheGuestForItsHelloFirst) {
  EXPECT_EQ(drain(), text(wire::encode_renew()));
}

TEST_F(Link, WelcomesTheGuestAndMounts) {
  drain();
  feed("junk of a daemon that died" + hello());
  EXPECT_EQ(drain().substr(0, wire::kHeaderSize), hello().replace(0, 1, "\2").substr(0, 12));
  feed(message(FUSE_INIT, 1, raw(init_body())));
  EXPECT_THAT(events_, ElementsAre("restarted", "mounted"));
  EXPECT_EQ(messages_in(drain()).size(), 1U);
}

TEST_F(Link, TakesBytesOneByOne) {
  drain();
  const std::string all = hello() + message(FUSE_INIT, 1, raw(init_body())) + getattr(2);
  for (char byte : all)
    EXPECT_TRUE(feed(std::string_view(&byte, 1)));
  EXPECT_THAT(events_, ElementsAre("restarted", "mounted"));
  EXPECT_EQ(provider_.waiting.size(), 1U);
}

TEST_F(Link, JoinsAndSplitsMessagesOfManyFrames) {
  mount();
  fuse_write_in in{};
  in.size = kMaxTransfer;
  const std::string whole =
      text(fuse_message(FUSE_WRITE, 2, 1, raw(in) + std::string(kMaxTransfer, 'w')));
  feed(frame(wire::FrameType::kMessage, whole.substr(0, 100), wire::kFlagMore));
  feed(frame(wire::FrameType::kMessage, "", wire::kFlagMore));
  feed(frame(wire::FrameType::kMessage, whole.substr(100, 32000), wire::kFlagMore));
  feed(frame(wire::FrameType::kMessage, whole.substr(32100, 32000), wire::kFlagMore));
  feed(frame(wire::FrameType::kMessage, whole.substr(64100)));
  feed(read_request(3));
  const auto replies = messages_in(drain());
  ASSERT_EQ(replies.size(), 2U);
  EXPECT_EQ(replies[0].size(), sizeof(fuse_out_header) + sizeof(fuse_write_out));
  EXPECT_EQ(replies[1].size(), sizeof(fuse_out_header) + kMaxTransfer);
  EXPECT_EQ(replies[1].substr(sizeof(fuse_out_header)), std::string(kMaxTransfer, 'd'));
}

TEST_F(Link, StartsOverWithEveryHello) {
  mount();
  const std::string whole = getattr(2);
  feed(getattr(2));
  feed(frame(wire::FrameType::kMessage, "part of", wire::kFlagMore));
  feed(hello());
  EXPECT_THAT(events_, ElementsAre("restarted"));
  EXPECT_EQ(provider_.restarts, 1);
  provider_.waiting.clear();
  EXPECT_EQ(drain().size(), wire::GreetingFrame().size());
  feed(message(FUSE_INIT, 1, raw(init_body())));
  EXPECT_THAT(events_, ElementsAre("restarted", "mounted"));
}

TEST_F(Link, WakesItsOwnerForALateAnswerOnly) {
  mount();
  feed(message(FUSE_STATFS, 2, ""));
  feed(getattr(3));
  EXPECT_EQ(woken_, 0);
  provider_.waiting[0](Attributes{});
  EXPECT_EQ(woken_, 1);
  EXPECT_EQ(messages_in(drain()).size(), 2U);
}

TEST_F(Link, TakesNoMoreThanItCanAnswerWhenTheGuestDoesNotRead) {
  mount();
  std::uint64_t unique = 1;
  int taken = 0;
  while (feed(read_request(++unique)))
    ASSERT_LT(++taken, 100);
  const auto replies = messages_in(drain());
  EXPECT_EQ(replies.size(), 8U);
  take_events();  // the message that waited for room
  EXPECT_EQ(messages_in(drain()).size(), 1U);
  EXPECT_EQ(taken, 9);
  EXPECT_FALSE(link_.input_space().empty());
  EXPECT_THAT(events_, IsEmpty());
}

TEST_F(Link, TakesNoMoreThanItCanAnswerWhenTheProviderIsSlow) {
  mount();
  std::uint64_t unique = 1;
  while (feed(getattr(++unique)))
    ASSERT_LT(unique, 100U);
  EXPECT_EQ(provider_.waiting.size(), 8U);
  provider_.waiting[0](Attributes{});
  EXPECT_EQ(woken_, 1);
  drain();
  take_events();
  EXPECT_EQ(provider_.waiting.size(), 9U);
}

TEST_F(Link, CountsWhatProvidersOweToMountsOfThePast) {
  mount();
  std::uint64_t unique = 1;
  while (feed(getattr(++unique)))
    ASSERT_LT(unique, 100U);
  EXPECT_EQ(provider_.waiting.size(), 8U);
  link_.restart();
  drain();
  feed(hello() + message(FUSE_INIT, 1, raw(init_body())));
  EXPECT_THAT(events_, ElementsAre("restarted"));
  provider_.waiting[0](Attributes{});
  EXPECT_EQ(woken_, 1);
  drain();
  take_events();
  EXPECT_THAT(events_, ElementsAre("restarted", "mounted"));
}

TEST_F(Link, ReportsMessagesThatAreTooLong) {
  mount();
  for (int i = 0; i < 2; ++i) {
    feed(frame(wire::FrameType::kMessage, std::string(wire::kMaxPayload, 'x'), wire::kFlagMore));
  }
  EXPECT_THAT(events_, IsEmpty());
  feed(frame(wire::FrameType::kMessage, std::string(wire::kMaxPayload, 'x'), wire::kFlagMore));
  EXPECT_THAT(events_, ElementsAre("error: a FUSE message that is too long"));
}

TEST_F(Link, ReportsFramesOfOtherKinds) {
  mount();
  const auto data = wire::encode({.type = wire::FrameType::kData, .stream = 1, .length = 1});
  feed(text(data) + "x");
  ASSERT_EQ(events_.size(), 1U);
  EXPECT_EQ(events_[0].substr(0, 6), "error:");
}

TEST_F(Link, WorksAgainAfterARestart) {
  mount();
  feed(frame(wire::FrameType::kMessage, "no FUSE message"));
  ASSERT_EQ(events_.size(), 1U);
  link_.restart();
  EXPECT_EQ(drain(), text(wire::encode_renew()));
  events_.clear();
  feed(getattr(9) + hello() + message(FUSE_INIT, 1, raw(init_body())));
  EXPECT_THAT(events_, ElementsAre("restarted", "mounted"));
}

}  // namespace
}  // namespace gondolin::vfs
