#include "wire/frame.hpp"

#include <algorithm>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "wire/frame_reader.hpp"

namespace gondolin::wire {
namespace {

using testing::HasSubstr;

std::array<std::byte, kHeaderSize> bytes_of(std::initializer_list<int> values) {
  std::array<std::byte, kHeaderSize> bytes{};
  std::ranges::transform(values, bytes.begin(), [](int v) { return static_cast<std::byte>(v); });
  return bytes;
}

void feed(FrameReader& reader, Bytes bytes) {
  MutableBytes space = reader.space();
  ASSERT_LE(bytes.size(), space.size());
  std::ranges::copy(bytes, space.begin());
  reader.received(bytes.size());
}

TEST(Frame, HeaderIsTwelveLittleEndianBytes) {
  auto header = encode({.type = FrameType::kData, .stream = 0x01020304, .length = 0x506});
  EXPECT_EQ(header, bytes_of({5, 0, 0, 0, 4, 3, 2, 1, 6, 5, 0, 0}));
}

TEST(Frame, HeadersThatBreakARuleAreProtocolErrors) {
  struct Case {
    std::initializer_list<int> header;
    const char* why;
  };
  for (const Case& bad : {
           Case{{0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0}, "unknown type 0"},
           Case{{11, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0}, "unknown type 11"},
           Case{{5, 1, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0}, "unknown flags 1"},
           Case{{9, 2, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0}, "unknown flags 2"},
           Case{{5, 0, 1, 0, 1, 0, 0, 0, 1, 0, 0, 0}, "reserved"},
           Case{{5, 0, 0, 1, 1, 0, 0, 0, 1, 0, 0, 0}, "reserved"},
           Case{{5, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0}, "stream id 0"},
           Case{{9, 0, 0, 0, 7, 0, 0, 0, 1, 0, 0, 0}, "stream id 7"},
           Case{{5, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0}, "length 0"},
           Case{{5, 0, 0, 0, 1, 0, 0, 0, 0xf5, 0x7f, 0, 0}, "length 32757"},
           Case{{4, 0, 0, 0, 1, 0, 0, 0, 5, 0, 0, 0}, "length 5"},
           Case{{7, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0}, "length 1"},
           Case{{1, 0, 0, 0, 0, 0, 0, 0, 31, 0, 0, 0}, "length 31"},
           Case{{9, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x80}, "length 2147483648"},
       }) {
    auto decoded = decode_header(bytes_of(bad.header));
    ASSERT_FALSE(decoded.has_value()) << bad.why;
    EXPECT_EQ(decoded.error().code, ErrorCode::kProtocol);
    EXPECT_THAT(decoded.error().message, HasSubstr(bad.why));
  }
}

TEST(Frame, EachTypeHasItsSenders) {
  EXPECT_TRUE(may_send(Role::kHost, FrameType::kOpen));
  EXPECT_FALSE(may_send(Role::kGuest, FrameType::kOpen));
  EXPECT_FALSE(may_send(Role::kHost, FrameType::kOpened));
  EXPECT_FALSE(may_send(Role::kGuest, FrameType::kWelcome));
  EXPECT_FALSE(may_send(Role::kGuest, FrameType::kRenew));
  EXPECT_TRUE(may_send(Role::kGuest, FrameType::kData));
}

TEST(FrameReader, FindsFramesHoweverTheyAreCut) {
  FrameHeader header{.type = FrameType::kData, .stream = 9, .length = 5};
  std::vector<std::byte> wire;
  for (int i = 0; i < 3; ++i) {
    auto head = encode(header);
    wire.insert(wire.end(), head.begin(), head.end());
    for (char c : {'h', 'e', 'l', 'l', 'o'})
      wire.push_back(static_cast<std::byte>(c));
  }
  for (std::size_t piece = 1; piece <= wire.size(); ++piece) {
    FrameReader reader;
    int found = 0;
    for (std::size_t at = 0; at < wire.size(); at += piece) {
      feed(reader, Bytes(wire).subspan(at, std::min(piece, wire.size() - at)));
      while (true) {
        auto frame = reader.next();
        ASSERT_TRUE(frame.has_value());
        if (!*frame) break;
        EXPECT_EQ((*frame)->header, header);
        EXPECT_EQ(as_text((*frame)->payload), "hello");
        ++found;
      }
    }
    EXPECT_EQ(found, 3) << "in pieces of " << piece;
  }
}

TEST(FrameReader, LargestFramesFitWhereverTheyStart) {
  FrameReader reader(kMaxFrame);
  std::vector<std::byte> frame(kMaxFrame);
  std::ranges::copy(encode({.type = FrameType::kData, .stream = 1, .length = kMaxPayload}),
                    frame.begin());
  for (int round = 0; round < 5; ++round) {
    Bytes rest(frame);
    while (!rest.empty()) {
      std::size_t count = std::min<std::size_t>({rest.size(), 10007, reader.space().size()});
      ASSERT_GT(count, 0U);
      feed(reader, rest.first(count));
      rest = rest.subspan(count);
    }
    auto whole = reader.next();
    ASSERT_TRUE(whole.has_value() && *whole);
    EXPECT_EQ((*whole)->payload.size(), kMaxPayload);
  }
}

}  // namespace
}  // namespace gondolin::wire
