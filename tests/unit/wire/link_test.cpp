#include "wire/link.hpp"

#include <algorithm>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "unit/wire/mux_pair.hpp"

namespace gondolin::wire {
namespace {

void feed(Link& link, Bytes bytes) {
  std::ranges::copy(bytes, link.space().begin());
  link.received(bytes.size());
}

// The kind of the next event; nothing when there is none.
std::optional<LinkEvent::Kind> next_kind(Link& link) {
  auto event = link.next();
  EXPECT_TRUE(event.has_value());
  if (!event || !*event) return std::nullopt;
  return (*event)->kind;
}

TEST(Link, GuestSkipsEverythingBeforeItsWelcome) {
  Link guest(Role::kGuest, 1000);
  static_cast<void>(guest.greet(nonce_of(1)));
  feed(guest, as_bytes("the rest of a frame that a predecessor did not read"));
  feed(guest, Link::renew());
  feed(guest, encode_greeting(FrameType::kWelcome, {.nonce = nonce_of(2), .window = 5}));
  EXPECT_EQ(next_kind(guest), std::nullopt);
  EXPECT_FALSE(guest.up());
  feed(guest, encode_greeting(FrameType::kWelcome, {.nonce = nonce_of(1), .window = 77}));
  EXPECT_EQ(next_kind(guest), LinkEvent::Kind::kUp);
  EXPECT_EQ(guest.peer_window(), 77U);
}

TEST(Link, GuestFindsItsWelcomeOneByteAtATime) {
  Link guest(Role::kGuest, 1000);
  static_cast<void>(guest.greet(nonce_of(1)));
  auto welcome = encode_greeting(FrameType::kWelcome, {.nonce = nonce_of(1), .window = 5});
  // A beginning that turns out to be something else, and then the real one.
  ByteBuffer bytes(welcome.begin(), welcome.begin() + 30);
  bytes.insert(bytes.end(), welcome.begin(), welcome.end());
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    EXPECT_EQ(next_kind(guest), std::nullopt);
    feed(guest, Bytes(bytes).subspan(i, 1));
  }
  EXPECT_EQ(next_kind(guest), LinkEvent::Kind::kUp);
}

TEST(Link, HostSkipsWhatComesBeforeTheFirstHello) {
  Link host(Role::kHost, 1000);
  feed(host, as_bytes("frames meant for another host, cut anywhere"));
  EXPECT_EQ(next_kind(host), std::nullopt);
  feed(host, encode_greeting(FrameType::kHello, {.nonce = nonce_of(3), .window = 9}));
  EXPECT_EQ(next_kind(host), LinkEvent::Kind::kUp);
  EXPECT_EQ(host.peer_window(), 9U);
  auto welcome = decode_greeting(Bytes(host.welcome()).subspan(kHeaderSize));
  ASSERT_TRUE(welcome.has_value());
  EXPECT_EQ(welcome->nonce, nonce_of(3));
  EXPECT_EQ(welcome->window, 1000U);
}

TEST(Link, AHelloAtAnyTimeIsANewGuestEnd) {
  Link host(Role::kHost, 1000);
  for (unsigned life = 1; life < 4; ++life) {
    feed(host, encode_greeting(FrameType::kHello, {.nonce = nonce_of(life), .window = life}));
    EXPECT_EQ(next_kind(host), LinkEvent::Kind::kUp);
    EXPECT_EQ(host.peer_window(), life);
  }
}

TEST(Link, RenewMakesAnEstablishedGuestGreetAgain) {
  Link guest(Role::kGuest, 1000);
  static_cast<void>(guest.greet(nonce_of(1)));
  feed(guest, encode_greeting(FrameType::kWelcome, {.nonce = nonce_of(1), .window = 5}));
  EXPECT_EQ(next_kind(guest), LinkEvent::Kind::kUp);
  feed(guest, Link::renew());
  EXPECT_EQ(next_kind(guest), LinkEvent::Kind::kRenew);
  EXPECT_FALSE(guest.up());
  static_cast<void>(guest.greet(nonce_of(2)));
  feed(guest, encode_greeting(FrameType::kWelcome, {.nonce = nonce_of(2), .window = 6}));
  EXPECT_EQ(next_kind(guest), LinkEvent::Kind::kUp);
}

TEST(Link, AnotherProtocolVersionIsNamed) {
  Link host(Role::kHost, 1000);
  feed(host, encode_greeting(FrameType::kHello, {.nonce = nonce_of(1), .version = 9, .window = 1}));
  auto event = host.next();
  ASSERT_FALSE(event.has_value());
  EXPECT_THAT(event.error().message, testing::HasSubstr("version 9, this end 2"));
}

TEST(Link, FramesOfTheWrongEndAreProtocolErrors) {
  Link host(Role::kHost, 1000);
  feed(host, encode_greeting(FrameType::kHello, {.nonce = nonce_of(1), .window = 1}));
  EXPECT_EQ(next_kind(host), LinkEvent::Kind::kUp);
  feed(host, encode({.type = FrameType::kOpen, .stream = 1}));
  auto event = host.next();
  ASSERT_FALSE(event.has_value());
  EXPECT_EQ(event.error().code, ErrorCode::kProtocol);
}

}  // namespace
}  // namespace gondolin::wire
