#include "wire/mounts.hpp"

#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "wire/frame.hpp"

namespace gondolin::wire {
namespace {

constexpr std::size_t kHeader = 16;

ByteBuffer fuse_message(std::uint32_t size, char fill) {
  ByteBuffer bytes(size, std::byte(fill));
  store_u32(bytes, size);
  return bytes;
}

TEST(Mounts, ATargetReadsBackAsItWas) {
  for (const MountTarget& target :
       {MountTarget{.path = "/workspace"},
        MountTarget{.path = "/a b/\xff", .access = MountAccess::kReadOnly}}) {
    const ByteBuffer bytes = encode_mount_target(target);
    EXPECT_EQ(decode_mount_target(bytes).value(), target);
    for (std::size_t size = 0; size < bytes.size(); ++size)
      EXPECT_FALSE(decode_mount_target(Bytes(bytes).first(size)).has_value());
  }
}

TEST(Mounts, ATargetIsAnAbsolutePathBelowTheRoot) {
  for (std::string path : {std::string(), std::string("/"), std::string("a"),
                           std::string("/a\0b", 4), "/" + std::string(4095, 'x')}) {
    EXPECT_FALSE(decode_mount_target(encode_mount_target({.path = path})).has_value());
  }
  EXPECT_FALSE(decode_mount_target(encode_mount_target({.path = "/a", .access = MountAccess{3}}))
                   .has_value());
}

TEST(Mounts, MessagesAreFoundHoweverTheStreamIsCut) {
  const std::vector<ByteBuffer> sent = {fuse_message(kHeader, 'a'),
                                        fuse_message(kMaxFuseMessage, 'b'),
                                        fuse_message(kHeader + 1, 'c')};
  ByteBuffer stream;
  for (const ByteBuffer& message : sent)
    stream.insert(stream.end(), message.begin(), message.end());
  for (std::size_t piece : {1U, 3U, 4096U, 1'000'000U}) {
    FuseMessageCutter cutter(kHeader);
    std::vector<ByteBuffer> found;
    for (std::size_t at = 0; at < stream.size(); at += piece) {
      Bytes input = Bytes(stream).subspan(at, std::min(piece, stream.size() - at));
      while (!input.empty()) {
        auto taken = cutter.feed(input);
        ASSERT_TRUE(taken.has_value());
        input = input.subspan(*taken);
        auto whole = cutter.whole();
        if (!whole) continue;
        EXPECT_EQ(reinterpret_cast<std::uintptr_t>(whole->data()) % 8, 0U);
        found.emplace_back(whole->begin(), whole->end());
        cutter.drop();
      }
    }
    EXPECT_EQ(found, sent);
  }
}

TEST(Mounts, LengthsOutOfBoundsAreRefusedBeforeTheirBytesCome) {
  for (std::uint32_t length :
       {0U, 15U, static_cast<std::uint32_t>(kMaxFuseMessage + 1), 0xffffffffU}) {
    ByteBuffer bytes(4);
    store_u32(bytes, length);
    FuseMessageCutter cutter(kHeader);
    EXPECT_FALSE(cutter.feed(bytes).has_value());
  }
}

}  // namespace
}  // namespace gondolin::wire
