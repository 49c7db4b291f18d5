#include "wire/files.hpp"

#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "wire/frame.hpp"

namespace gondolin::wire {
namespace {

std::vector<FileMessage> every_message() {
  return {ReadFile{.path = "/a", .offset = 1, .length = 0x7ffffffffffffffe},
          ReadFile{.path = "/"},
          WriteFile{.path = "/b \n\xff", .mode = WriteMode::kAtomic, .permissions = 07777},
          WriteFile{.path = "/" + std::string(kMaxPath - 1, 'x'), .mode = WriteMode::kAppend},
          ListDirectory{"/etc"},
          StatFile{.path = "/x/../y", .link = LastLink::kItself},
          MakeDirectory{.path = "/d", .permissions = 0, .parents = Parents::kMake},
          RenameFile{.from = "/a", .to = "/b", .existing = Existing::kKeep},
          RemoveFile{.path = "/d", .depth = Depth::kTree},
          FileData{ByteBuffer(kMaxFileData, std::byte{7})},
          FileData{ByteBuffer(1)},
          FileDone{},
          FileStatus{.kind = FileKind::kSymlink,
                     .permissions = 0777,
                     .uid = 1000,
                     .gid = 0xffffffff,
                     .size = 5,
                     .modified_ns = static_cast<std::uint64_t>(-1),
                     .link_target = "/else"},
          DirectoryEntries{{{"a", FileKind::kFile}, {"...", FileKind::kOther}}},
          FileFailed{2}};
}

Result<std::optional<FileMessage>> read_back(Bytes bytes) {
  FileMessageReader reader;
  while (!bytes.empty()) {
    auto taken = reader.feed(bytes);
    if (!taken) return tl::unexpected(taken.error());
    bytes = bytes.subspan(*taken);
    if (*taken == 0) break;
  }
  return reader.next();
}

// What the encoder writes without looking, and the reader must refuse.
bool is_refused(const FileMessage& message) {
  return !read_back(encode_file_message(message)).has_value();
}

TEST(Files, EveryMessageReadsBackAsItWas) {
  for (const auto& message : every_message()) {
    auto read = read_back(encode_file_message(message));
    ASSERT_TRUE(read.has_value() && *read) << message.index();
    EXPECT_EQ(**read, message);
  }
}

TEST(Files, NoMessageCanBeCutOrExtended) {
  for (const auto& message : every_message()) {
    auto bytes = encode_file_message(message);
    ByteBuffer longer = bytes;
    longer.push_back(std::byte{0});
    store_u32(longer, static_cast<std::uint32_t>(longer.size() - 4));
    EXPECT_FALSE(read_back(longer).has_value()) << message.index();
    if (bytes.size() == 5) continue;
    ByteBuffer shorter(bytes.begin(), bytes.end() - 1);
    store_u32(shorter, static_cast<std::uint32_t>(shorter.size() - 4));
    EXPECT_FALSE(read_back(shorter).has_value()) << message.index();
  }
}

TEST(Files, MessagesAreFoundInAStreamHoweverItIsCut) {
  ByteBuffer stream;
  for (const auto& message : every_message()) {
    auto bytes = encode_file_message(message);
    stream.insert(stream.end(), bytes.begin(), bytes.end());
  }
  for (std::size_t piece : {1U, 5U, 4093U}) {
    FileMessageReader reader;
    std::vector<FileMessage> found;
    for (std::size_t at = 0; at < stream.size(); at += piece) {
      Bytes input = Bytes(stream).subspan(at, std::min(piece, stream.size() - at));
      while (!input.empty()) {
        auto taken = reader.feed(input);
        ASSERT_TRUE(taken.has_value());
        input = input.subspan(*taken);
        auto message = reader.next();
        ASSERT_TRUE(message.has_value());
        if (*message) found.push_back(**message);
      }
    }
    EXPECT_EQ(found, every_message());
  }
}

TEST(Files, PathsAreAbsoluteWithoutNulAndNotTooLong) {
  for (std::string path : {std::string(), std::string("a"), std::string("./a"), std::string("~/a"),
                           std::string("/a\0b", 4), "/" + std::string(kMaxPath, 'x')}) {
    EXPECT_FALSE(is_guest_path(path));
    EXPECT_TRUE(is_refused(ListDirectory{path}));
    EXPECT_TRUE(is_refused((RenameFile{.from = "/a", .to = path})));
  }
  EXPECT_TRUE(is_guest_path("/" + std::string(kMaxPath - 1, 'x')));
}

TEST(Files, NamesAreNoPaths) {
  for (std::string name :
       {std::string(), std::string("."), std::string(".."), std::string("a/b"), std::string("/"),
        std::string(kMaxName + 1, 'n'), std::string("a\0b", 3)}) {
    EXPECT_TRUE(is_refused(DirectoryEntries{{{name, FileKind::kFile}}}));
  }
}

TEST(Files, NumbersOutOfRangeAreRefused) {
  EXPECT_TRUE(is_refused(ReadFile{.path = "/a", .offset = 1ULL << 63, .length = 0}));
  EXPECT_TRUE(is_refused(ReadFile{.path = "/a", .offset = 2, .length = 0x7ffffffffffffffe}));
  EXPECT_TRUE(is_refused(WriteFile{.path = "/a", .permissions = 010000}));
  EXPECT_TRUE(is_refused(WriteFile{.path = "/a", .mode = WriteMode{5}}));
  EXPECT_TRUE(is_refused(WriteFile{.path = "/a", .mode = WriteMode{0}}));
  EXPECT_TRUE(is_refused(MakeDirectory{.path = "/a", .permissions = 0170000}));
  EXPECT_TRUE(is_refused(FileData{}));
  EXPECT_TRUE(is_refused(FileData{ByteBuffer(kMaxFileData + 1)}));
  EXPECT_TRUE(is_refused(DirectoryEntries{}));
  EXPECT_TRUE(is_refused(DirectoryEntries{{{"a", FileKind{9}}}}));
  EXPECT_TRUE(is_refused(FileFailed{0}));
  EXPECT_TRUE(is_refused(FileFailed{4096}));
  EXPECT_TRUE(is_refused(FileStatus{.size = 1ULL << 63}));
  EXPECT_TRUE(is_refused(FileStatus{.kind = FileKind::kFile, .link_target = "/a"}));
}

TEST(Files, LengthsOutOfBoundsAreRefusedBeforeTheirBytesCome) {
  for (std::uint32_t length :
       {std::uint32_t{0}, static_cast<std::uint32_t>(kMaxFileMessage + 1), 0xffffffffU}) {
    ByteBuffer bytes(4);
    store_u32(bytes, length);
    EXPECT_FALSE(read_back(bytes).has_value());
  }
}

}  // namespace
}  // namespace gondolin::wire
