#include "ingress/buffer.hpp"

#include <cstring>

#include <gtest/gtest.h>

#include "ingress/body_run.hpp"

namespace gondolin::ingress {
namespace {

void put(Buffer& buffer, std::string_view text) {
  ASSERT_GE(buffer.room().size(), text.size());
  std::memcpy(buffer.room().data(), text.data(), text.size());
  buffer.commit(text.size());
}

TEST(Buffer, KeepsBytesInOrderWhileTheyAreConsumed) {
  Buffer buffer(64);
  buffer.make_room();
  put(buffer, "abcdef");
  buffer.consume(4);
  EXPECT_EQ(buffer.view(), "ef");
  buffer.make_room();
  EXPECT_EQ(buffer.view(), "ef");
  EXPECT_EQ(buffer.room().size(), 62U);
}

TEST(Buffer, GrowsWhileReadsFillItUpToItsLimit) {
  Buffer buffer(20'000);
  buffer.make_room();
  EXPECT_EQ(buffer.room().size(), 4096U);
  for (std::size_t size : {4096U, 16384U, 20000U}) {
    put(buffer, std::string(buffer.room().size(), 'x'));
    EXPECT_EQ(buffer.size(), size);
    buffer.make_room();
  }
  EXPECT_TRUE(buffer.room().empty());
}

TEST(Buffer, KeepsSmallMemoryWhenClearedAndGivesLargeBack) {
  Buffer buffer(20'000);
  buffer.make_room();
  const std::byte* memory = buffer.room().data();
  put(buffer, "abc");
  buffer.clear();
  EXPECT_TRUE(buffer.empty());
  EXPECT_EQ(buffer.room().data(), memory);
  EXPECT_EQ(buffer.room().size(), 4096U);

  put(buffer, std::string(4096, 'x'));
  buffer.make_room();
  buffer.clear();
  EXPECT_TRUE(buffer.empty());
  EXPECT_TRUE(buffer.room().empty());
}

TEST(Buffer, GivesItsMemoryBackWhenEmpty) {
  Buffer buffer(64);
  buffer.make_room();
  put(buffer, "a");
  buffer.release();
  EXPECT_EQ(buffer.view(), "a");
  buffer.consume(1);
  buffer.release();
  EXPECT_TRUE(buffer.room().empty());
}

TEST(BodyRun, JoinsThePayloadOfManyChunks) {
  std::string bytes = "1\r\na\r\n2;x\r\nbc\r\n3\r\ndef\r\n0\r\n\r\nnext";
  http::BodyDecoder decoder({.kind = http::BodyKind::kChunked});
  auto run = decode_run(decoder, bytes);
  EXPECT_EQ(run.payload, "abcdef");
  EXPECT_EQ(run.progress, http::Progress::kComplete);
  EXPECT_EQ(bytes.substr(run.consumed), "next");
}

TEST(BodyRun, GoesOnWhereTheLastRunStopped) {
  std::string whole = "4\r\nabcd\r\n0\r\n\r\n";
  http::BodyDecoder decoder({.kind = http::BodyKind::kChunked});
  std::string payload;
  for (char c : whole) {
    std::string byte(1, c);
    auto run = decode_run(decoder, byte);
    payload += run.payload;
  }
  EXPECT_EQ(payload, "abcd");
  EXPECT_TRUE(decoder.complete());
}

TEST(BodyRun, KeepsWhatCameBeforeAFault) {
  std::string bytes = "2\r\nab\r\n0x1\r\nc\r\n0\r\n\r\n";
  http::BodyDecoder decoder({.kind = http::BodyKind::kChunked});
  auto run = decode_run(decoder, bytes);
  EXPECT_TRUE(run.fault);
  EXPECT_EQ(run.payload, "ab");
  EXPECT_EQ(run.progress, http::Progress::kNeedMore);
}

TEST(BodyRun, TakesNoMoreThanTheLength) {
  std::string bytes = "abcdef";
  http::BodyDecoder decoder({.kind = http::BodyKind::kLength, .length = 4});
  auto run = decode_run(decoder, bytes);
  EXPECT_EQ(run.payload, "abcd");
  EXPECT_EQ(run.consumed, 4U);
}

}  // namespace
}  // namespace gondolin::ingress
