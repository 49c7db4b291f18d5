// Providers as the operations of a mount, on the memory provider and on one that misbehaves.
#include "api/served_files.hpp"

#include <fcntl.h>

#include <cerrno>
#include <functional>
#include <future>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <system_error>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace gondolin::api {
namespace {

using vfs::Errno;
using vfs::HandleId;
using vfs::kRootNode;
using vfs::NodeId;
using vfs::NodeKind;
using vfs::RenameMode;

class ServedFilesTest : public testing::Test {
 protected:
  ServedFilesTest() : ServedFilesTest(VfsAccess::kReadWrite) {}
  explicit ServedFilesTest(VfsAccess access)
      : memory_(std::make_shared<MemoryProvider>(100'000, 50)),
        files_({.path = "/m", .provider = memory_, .access = access, .max_open_files = 4},
               [](const std::string&) {}) {
    memory_->put("/f", "content");
    memory_->put("/d/g", "other");
  }

  NodeId node(const std::string& name, NodeId parent = kRootNode) {
    return files_.lookup(parent, name).value().node;
  }
  static vfs::AttributeChanges resize_to(std::uint64_t size,
                                         std::optional<HandleId> handle = std::nullopt) {
    vfs::AttributeChanges changes;
    changes.size = size;
    changes.handle = handle;
    return changes;
  }
  std::string read(HandleId handle, std::uint64_t offset = 0, std::size_t size = 100) {
    return std::string(as_text(files_.read(handle, offset, size).value()));
  }
  std::vector<std::string> names(NodeId directory, std::size_t limit = 100) {
    const HandleId handle = files_.opendir(directory).value().handle;
    std::vector<std::string> list;
    for (std::uint64_t offset = 0;;) {
      auto entries = files_.readdir(handle, offset, limit).value();
      if (entries.empty()) break;
      for (const auto& entry : entries)
        list.push_back(entry.name);
      offset = entries.back().next;
    }
    EXPECT_TRUE(files_.release(handle).has_value());
    return list;
  }

  std::shared_ptr<MemoryProvider> memory_;
  ServedFiles files_;
};

class ReadOnlyFilesTest : public ServedFilesTest {
 protected:
  ReadOnlyFilesTest() : ServedFilesTest(VfsAccess::kReadOnly) {}
};

TEST_F(ServedFilesTest, LooksUpOpensReadsAndWrites) {
  const NodeId f = node("f");
  const HandleId handle = files_.open(f, O_RDWR).value().handle;
  EXPECT_EQ(read(handle, 3), "tent");
  EXPECT_EQ(files_.write(handle, 7, as_bytes("!")).value(), 1U);
  EXPECT_EQ(files_.getattr(f).value().size, 8U);
  EXPECT_EQ(memory_->get("/f"), "content!");
  EXPECT_TRUE(files_.flush(handle) && files_.fsync(handle) && files_.release(handle));
  EXPECT_EQ(files_.read(handle, 0, 1).error(), Errno{EBADF});
  EXPECT_EQ(files_.lookup(kRootNode, "none").error(), Errno{ENOENT});
  EXPECT_EQ(files_.lookup(NodeId{99}, "f").error(), Errno{ESTALE});
}

TEST_F(ServedFilesTest, CreatesWithOrWithoutExclusion) {
  auto made = files_.create(kRootNode, "n", 0600, O_WRONLY | O_CREAT).value();
  EXPECT_EQ(made.attributes.permissions, 0600U);
  EXPECT_TRUE(files_.write(made.opened.handle, 0, as_bytes("x")).has_value());
  EXPECT_EQ(files_.create(kRootNode, "n", 0600, O_WRONLY | O_CREAT | O_EXCL).error(),
            Errno{EEXIST});
  auto again = files_.create(kRootNode, "n", 0600, O_WRONLY | O_CREAT | O_TRUNC).value();
  EXPECT_EQ(again.attributes.node, made.attributes.node);
  EXPECT_EQ(memory_->get("/n"), "");
}

TEST_F(ServedFilesTest, AnOpenFileOutlivesItsName) {
  const NodeId f = node("f");
  const HandleId handle = files_.open(f, O_RDWR).value().handle;
  EXPECT_TRUE(files_.unlink(kRootNode, "f").has_value());
  EXPECT_EQ(read(handle), "content");
  EXPECT_EQ(files_.getattr(f).value().size, 7U);
  EXPECT_TRUE(files_.setattr(f, resize_to(2, handle)).has_value());
  EXPECT_EQ(read(handle), "co");
  EXPECT_TRUE(files_.release(handle).has_value());
  EXPECT_EQ(files_.getattr(f).error(), Errno{ENOENT});
}

TEST_F(ServedFilesTest, RenamesDirectoriesWithWhatTheGuestKnowsOfThem) {
  const NodeId d = node("d");
  const NodeId g = node("g", d);
  EXPECT_EQ(files_.rename(kRootNode, "d", d, "x", RenameMode::kReplace).error(), Errno{EINVAL});
  EXPECT_TRUE(files_.rename(kRootNode, "d", kRootNode, "e", RenameMode::kReplace).has_value());
  EXPECT_EQ(files_.getattr(g).value().size, 5U);
  EXPECT_EQ(read(files_.open(g, O_RDONLY).value().handle), "other");
  EXPECT_EQ(files_.rename(kRootNode, "e", kRootNode, "f", RenameMode::kNoReplace).error(),
            Errno{EEXIST});
  EXPECT_TRUE(files_.rename(kRootNode, "e", kRootNode, "f", RenameMode::kExchange).has_value());
  EXPECT_EQ(files_.getattr(node("f")).value().kind, NodeKind::kDirectory);
}

TEST_F(ServedFilesTest, ListsInPiecesWhatThereWasAtTheStart) {
  EXPECT_THAT(names(kRootNode), testing::ElementsAre(".", "..", "d", "f"));
  EXPECT_THAT(names(kRootNode, 1), testing::ElementsAre(".", "..", "d", "f"));
  const HandleId handle = files_.opendir(kRootNode).value().handle;
  EXPECT_EQ(files_.readdir(handle, 0, 2).value().size(), 2U);
  EXPECT_TRUE(files_.unlink(node("d"), "g").has_value());
  EXPECT_TRUE(files_.rmdir(kRootNode, "d").has_value());
  EXPECT_EQ(files_.readdir(handle, 2, 9).value().size(), 2U);
  EXPECT_EQ(files_.readdir(handle, 0, 9).value().size(), 3U);
  EXPECT_TRUE(files_.readdir(handle, ~0ULL, 9).value().empty());
  EXPECT_EQ(files_.opendir(node("f")).error(), Errno{ENOTDIR});
}

TEST_F(ServedFilesTest, MakesAndReadsLinks) {
  auto link = files_.symlink(kRootNode, "l", "../anywhere").value();
  EXPECT_EQ(link.kind, NodeKind::kSymlink);
  EXPECT_EQ(files_.readlink(link.node).value(), "../anywhere");
  EXPECT_EQ(files_.readlink(node("f")).error(), Errno{EINVAL});
  EXPECT_EQ(files_.open(link.node, O_RDONLY).error(), Errno{ELOOP});
}

TEST_F(ServedFilesTest, ChangesAttributes) {
  const NodeId f = node("f");
  vfs::AttributeChanges wanted = resize_to(3);
  wanted.permissions = 0123;
  wanted.modified = vfs::Time(std::chrono::seconds(7));
  auto changed = files_.setattr(f, wanted).value();
  EXPECT_EQ(changed.permissions, 0123U);
  EXPECT_EQ(changed.size, 3U);
  EXPECT_EQ(changed.modified, vfs::Time(std::chrono::seconds(7)));
  EXPECT_EQ(files_.setattr(f, resize_to(1, HandleId{9})).error(), Errno{EBADF});
  EXPECT_GT(files_.statfs().value().blocks, 0U);
}

TEST_F(ServedFilesTest, BoundsOpenFilesAndMemory) {
  for (int i = 0; i < 4; ++i)
    EXPECT_TRUE(files_.open(node("f"), O_RDONLY).has_value());
  EXPECT_EQ(files_.open(node("f"), O_RDONLY).error(), Errno{ENFILE});
  EXPECT_EQ(files_.opendir(kRootNode).error(), Errno{ENFILE});
  EXPECT_EQ(files_.create(kRootNode, "n", 0600, O_WRONLY).error(), Errno{ENFILE});
  EXPECT_EQ(files_.lookup(kRootNode, "n").error(), Errno{ENOENT});
  files_.restart();
  const HandleId handle = files_.open(node("f"), O_RDWR).value().handle;
  const std::string big(65536, 'x');
  EXPECT_TRUE(files_.write(handle, 0, as_bytes(big)).has_value());
  EXPECT_EQ(files_.write(handle, 65536, as_bytes(big)).error(), Errno{ENOSPC});
  EXPECT_EQ(files_.write(handle, ~0ULL, as_bytes("x")).error(), Errno{EFBIG});
  for (int i = 0; i < 47; ++i)
    EXPECT_TRUE(files_.mkdir(kRootNode, "d" + std::to_string(i), 0755).has_value()) << i;
  EXPECT_EQ(files_.mkdir(kRootNode, "more", 0755).error(), Errno{ENOSPC});
}

TEST_F(ServedFilesTest, ARestartClosesAndForgetsEverything) {
  const NodeId f = node("f");
  const HandleId handle = files_.open(f, O_RDONLY).value().handle;
  files_.restart();
  EXPECT_EQ(files_.read(handle, 0, 1).error(), Errno{EBADF});
  EXPECT_EQ(files_.getattr(f).error(), Errno{ESTALE});
  EXPECT_TRUE(files_.getattr(kRootNode).has_value());
}

TEST_F(ReadOnlyFilesTest, NothingIsChanged) {
  const NodeId f = node("f");
  EXPECT_EQ(files_.open(f, O_RDWR).error(), Errno{EROFS});
  EXPECT_EQ(files_.create(kRootNode, "n", 0600, O_WRONLY).error(), Errno{EROFS});
  EXPECT_EQ(files_.mkdir(kRootNode, "n", 0755).error(), Errno{EROFS});
  EXPECT_EQ(files_.unlink(kRootNode, "f").error(), Errno{EROFS});
  EXPECT_EQ(files_.rmdir(kRootNode, "d").error(), Errno{EROFS});
  EXPECT_EQ(files_.symlink(kRootNode, "l", "x").error(), Errno{EROFS});
  EXPECT_EQ(files_.setattr(f, resize_to(0)).error(), Errno{EROFS});
  EXPECT_EQ(files_.rename(kRootNode, "f", kRootNode, "g", RenameMode::kReplace).error(),
            Errno{EROFS});
  const HandleId handle = files_.open(f, O_RDONLY | O_TRUNC).value().handle;
  EXPECT_EQ(files_.write(handle, 0, as_bytes("x")).error(), Errno{EROFS});
  EXPECT_EQ(memory_->get("/f"), "content");
}

// Throws what it is told to, and says what no file system does.
class BadProvider final : public VfsProvider {
 public:
  std::function<void()> fault = [] {};

  VfsAttributes attributes(const std::string& path) override {
    fault();
    return {.type = path == "/" ? FileType::kDirectory : FileType::kOther, .permissions = ~0U};
  }
  std::vector<FileEntry> list(const std::string&) override {
    return {{"", {}},
            {".", {}},
            {"..", {}},
            {"a/b", {}},
            {std::string(256, 'x'), {}},
            {std::string("a\0b", 3), {}},
            {"device", FileType::kOther},
            {"good", FileType::kFile}};
  }
  std::unique_ptr<VfsFile> open(const std::string&, const VfsOpen&) override { return nullptr; }
  std::string read_link(const std::string&) override { return std::string("a\0b", 3); }
};

TEST(ServedFiles, WhateverAProviderDoesTheGuestGetsAnErrno) {
  auto bad = std::make_shared<BadProvider>();
  std::vector<std::string> lines;
  ServedFiles files({.path = "/m", .provider = bad},
                    [&](const std::string& line) { lines.push_back(line); });
  EXPECT_EQ(files.getattr(kRootNode).value().permissions, 07777U);
  EXPECT_EQ(files.lookup(kRootNode, "x").error(), Errno{ENOENT});
  EXPECT_EQ(files.readlink(kRootNode).error(), Errno{EIO});
  EXPECT_EQ(files.unlink(kRootNode, "x").error(), Errno{EROFS});
  EXPECT_EQ(files.open(kRootNode, O_RDONLY).error(), Errno{EIO});
  const HandleId handle = files.opendir(kRootNode).value().handle;
  auto list = files.readdir(handle, 0, 100).value();
  ASSERT_EQ(list.size(), 3U);
  EXPECT_EQ(list[2].name, "good");

  bad->fault = [] { vfs_fail(EDQUOT); };
  EXPECT_EQ(files.getattr(kRootNode).error(), Errno{EDQUOT});
  bad->fault = [] { throw std::system_error(-5, std::generic_category()); };
  EXPECT_EQ(files.getattr(kRootNode).error(), Errno{EIO});
  bad->fault = [] { throw std::system_error(100'000, std::system_category()); };
  EXPECT_EQ(files.getattr(kRootNode).error(), Errno{EIO});
  bad->fault = [] { throw std::system_error(1, std::future_category()); };
  EXPECT_EQ(files.getattr(kRootNode).error(), Errno{EIO});
  bad->fault = [] { throw std::runtime_error("oops"); };
  EXPECT_EQ(files.getattr(kRootNode).error(), Errno{EIO});
  EXPECT_THAT(lines, testing::ElementsAre(testing::HasSubstr("oops")));
  bad->fault = [] { throw 5; };
  EXPECT_EQ(files.getattr(kRootNode).error(), Errno{EIO});
}

}  // namespace
}  // namespace gondolin::api
