#include <lz4.h>

#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "image/cpio.hpp"
#include "image/guest_programs.hpp"
#include "image/kernel.hpp"
#include "image/sha256.hpp"

namespace gondolin::image {
namespace {

using namespace std::string_literals;

std::string little_endian(std::uint32_t value) {
  std::string bytes;
  for (int shift = 0; shift < 32; shift += 8)
    bytes += static_cast<char>(value >> shift);
  return bytes;
}

std::string lz4_block(const std::string& content) {
  std::string packed(static_cast<std::size_t>(LZ4_compressBound(static_cast<int>(content.size()))),
                     '\0');
  const int size =
      LZ4_compress_default(content.data(), packed.data(), static_cast<int>(content.size()),
                           static_cast<int>(packed.size()));
  packed.resize(static_cast<std::size_t>(size));
  return little_endian(static_cast<std::uint32_t>(size)) + packed;
}

// A bzImage with one setup sector and this payload.
std::string bz_image(const std::string& payload) {
  std::string image(1024, '\0');
  image[0x1f1] = 1;
  image.replace(0x202, 4, "HdrS");
  image.replace(0x206, 2, "\x0f\x02");
  image.replace(0x248, 4, little_endian(16));
  image.replace(0x24c, 4, little_endian(static_cast<std::uint32_t>(payload.size())));
  return image + std::string(16, 'x') + payload + "behind";
}

std::string lz4_payload(const std::string& kernel, std::size_t block = 8 << 20) {
  std::string payload = "\x02\x21\x4c\x18";
  for (std::size_t at = 0; at < kernel.size(); at += block)
    payload += lz4_block(kernel.substr(at, block));
  return payload + little_endian(static_cast<std::uint32_t>(kernel.size()));
}

TEST(Sha256, IsThatOfTheStandard) {
  EXPECT_EQ(sha256(as_bytes("abc")),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

TEST(Cpio, AFileIsExactlyTheseBytes) {
  CpioWriter archive;
  archive.add_file("init", 0755, "hello");
  EXPECT_EQ(archive.finish(),
            // inode 1, mode 0100755, root's, one link, no time, 5 bytes, 5 of name
            "070701"
            "00000001"
            "000081ed"
            "00000000"
            "00000000"
            "00000001"
            "00000000"
            "00000005"
            "00000000"
            "00000000"
            "00000000"
            "00000000"
            "00000005"
            "00000000"
            "init\0\0"s
            "hello\0\0\0"s
            "070701"
            "00000002"
            "00000000"
            "00000000"
            "00000000"
            "00000001"
            "00000000"
            "00000000"
            "00000000"
            "00000000"
            "00000000"
            "00000000"
            "0000000b"
            "00000000"
            "TRAILER!!!\0\0\0\0"s);
}

TEST(Cpio, AFileWithSeveralNamesIsThereOnce) {
  CpioWriter archive;
  archive.add_links({"init", "gondolin/sandboxd"}, 0755, "hello");
  archive.add_directory("next");
  const std::string bytes = archive.finish();
  // inode, mode, owner, group, two links, time, size
  const std::string beginning = "07070100000001000081ed00000000000000000000000200000000";
  const auto first = bytes.find(beginning + "00000005");
  const auto second = bytes.find(beginning + "00000000");
  EXPECT_EQ(first, 0U);
  ASSERT_NE(second, std::string::npos);
  EXPECT_EQ(bytes.substr(second + 110, 17), "gondolin/sandboxd");
  EXPECT_EQ(bytes.find("hello"), bytes.rfind("hello"));
  EXPECT_THAT(bytes, testing::HasSubstr("07070100000002000041ed"));
}

TEST(Cpio, ArchivesCanFollowEachOther) {
  CpioWriter archive;
  archive.add_directory("a");
  EXPECT_EQ(archive.finish().size() % 4, 0U);
  archive.add_directory("a");
  const std::string again = archive.finish();
  EXPECT_EQ(again.substr(6, 8), "00000001") << "the writer starts anew";
}

TEST(ModuleSegment, ListsTheModulesInTheirOrder) {
  const std::string segment = module_segment({{"virtio_ring", "one"}, {"virtio", "two"}});
  EXPECT_THAT(segment, testing::HasSubstr("gondolin/modules/virtio.ko"));
  EXPECT_THAT(segment, testing::HasSubstr("virtio_ring\nvirtio\n"));
}

TEST(GuestSegment, HasInitAtTheRootAndTheDaemonsBelow) {
  const std::string segment = guest_segment({{"init", "I"}, {"sandboxd", "D"}});
  EXPECT_THAT(segment, testing::HasSubstr("\0init\0"s.substr(1)));
  EXPECT_THAT(segment, testing::HasSubstr("gondolin/sandboxd\0"s));
  EXPECT_THAT(segment, testing::Not(testing::HasSubstr("gondolin/init")));
}

TEST(GuestSegment, HasProgramsThatAreTheSameOnce) {
  const std::string segment =
      guest_segment({{"init", "the program"}, {"sandboxd", "the program"}, {"sandboxfs", "other"}});
  EXPECT_EQ(segment.find("the program"), segment.rfind("the program"));
  EXPECT_THAT(segment, testing::HasSubstr("gondolin/sandboxd\0"s));
  EXPECT_THAT(segment, testing::HasSubstr("other"));
}

TEST(Kernel, TheElfImageComesOutOfABzImage) {
  const std::string kernel =
      "\x7f"
      "ELF" +
      std::string(100'000, 'k');
  EXPECT_EQ(unpack_kernel(bz_image(lz4_payload(kernel))), kernel);
  EXPECT_EQ(unpack_kernel(bz_image(lz4_payload(kernel, 30'000))), kernel);
}

TEST(Kernel, AnythingElseIsLeftToBeStartedAsItIs) {
  const std::string kernel =
      "\x7f"
      "ELF and the rest";
  const std::string good = bz_image(lz4_payload(kernel));
  EXPECT_FALSE(unpack_kernel(""));
  EXPECT_FALSE(unpack_kernel(kernel));
  EXPECT_FALSE(unpack_kernel(bz_image("")));
  EXPECT_FALSE(unpack_kernel(bz_image("\x1f\x8b gzip, not LZ4")));
  EXPECT_FALSE(unpack_kernel(bz_image(lz4_payload("not an ELF image"))));
  for (std::size_t length = 0; length < good.size() - 6; ++length)
    EXPECT_FALSE(unpack_kernel(good.substr(0, length))) << length;
  std::string wrong_size = lz4_payload(kernel);
  wrong_size.back() = 1;
  EXPECT_FALSE(unpack_kernel(bz_image(wrong_size)));
}

TEST(ModuleSignature, IsCutOff) {
  const std::string marker = "~Module signature appended~\n";
  const std::string trailer = std::string(8, '\0') + "\0\0\0\x04"s;
  EXPECT_EQ(without_signature("module"
                              "SIGN" +
                              trailer + marker),
            "module");
}

TEST(ModuleSignature, WhatHasNoneStaysWhole) {
  const std::string marker = "~Module signature appended~\n";
  EXPECT_EQ(without_signature("module"), "module");
  EXPECT_EQ(without_signature(marker), marker);
  const std::string longer_than_all = std::string(8, '\0') + "\0\0\1\0"s + marker;
  EXPECT_EQ(without_signature(longer_than_all), longer_than_all);
}

}  // namespace
}  // namespace gondolin::image
