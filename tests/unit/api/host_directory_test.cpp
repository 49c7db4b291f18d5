// HostDirectory on a directory of this machine, and what a guest would try to get out of it.
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <system_error>
#include <thread>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "gondolin/error.hpp"
#include "gondolin/vfs.hpp"

namespace gondolin {
namespace {

namespace fs = std::filesystem;
using testing::UnorderedElementsAre;

int errno_of(const std::function<void()>& call) {
  try {
    call();
  } catch (const std::system_error& error) {
    return error.code().value();
  }
  return 0;
}

std::string content_of(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  return std::string((std::istreambuf_iterator<char>(file)), {});
}

class HostDirectoryTest : public testing::Test {
 protected:
  HostDirectoryTest() {
    std::string path = (fs::temp_directory_path() / "gondolin-host-XXXXXX").string();
    EXPECT_NE(::mkdtemp(path.data()), nullptr);
    base_ = path;
    root_ = base_ / "shared";
    fs::create_directories(root_ / "d");
    put(root_ / "f", "content");
    put(base_ / "secret", "secret");
    host_ = std::make_unique<HostDirectory>(root_);
  }
  ~HostDirectoryTest() override { fs::remove_all(base_); }

  static void put(const fs::path& path, const std::string& content) {
    std::ofstream(path, std::ios::binary) << content;
  }
  std::string read(const std::string& path) {
    auto file = host_->open(path, {});
    std::string content(100, '\0');
    content.resize(file->read(0, std::as_writable_bytes(std::span(content))));
    return content;
  }
  static void write(VfsFile& file, std::uint64_t offset, std::string_view text) {
    EXPECT_EQ(file.write(offset, std::as_bytes(std::span(text))), text.size());
  }

  fs::path base_;
  fs::path root_;
  std::unique_ptr<HostDirectory> host_;
};

TEST_F(HostDirectoryTest, ReadsAndListsWhatIsThere) {
  EXPECT_EQ(read("/f"), "content");
  EXPECT_EQ(host_->attributes("/f").size, 7U);
  EXPECT_EQ(host_->attributes("/").type, FileType::kDirectory);
  EXPECT_THAT(host_->list("/"), UnorderedElementsAre(FileEntry{"f", FileType::kFile},
                                                     FileEntry{"d", FileType::kDirectory}));
  EXPECT_EQ(errno_of([&] { host_->attributes("/none"); }), ENOENT);
  EXPECT_EQ(errno_of([&] { host_->attributes("/f/x"); }), ENOTDIR);
  EXPECT_EQ(errno_of([&] { host_->open("/d", {}); }), EISDIR);
  EXPECT_GT(host_->usage().total_bytes, 0U);
}

TEST_F(HostDirectoryTest, MakesWritesRenamesAndRemoves) {
  auto file = host_->create("/d/new", 0640, {.read = true, .write = true});
  write(*file, 2, "xy");
  EXPECT_EQ(content_of(root_ / "d/new"), std::string("\0\0xy", 4));
  file->truncate(1);
  file->sync();
  EXPECT_EQ(file->attributes().size, 1U);
  EXPECT_EQ(errno_of([&] { host_->create("/d/new", 0640, {.write = true}); }), EEXIST);
  host_->rename("/d/new", "/moved", VfsRename::kNoReplace);
  EXPECT_EQ(errno_of([&] { host_->rename("/moved", "/f", VfsRename::kNoReplace); }), EEXIST);
  host_->rename("/moved", "/f", VfsRename::kExchange);
  EXPECT_EQ(content_of(root_ / "moved"), "content");
  host_->make_directory("/d/e", 0755);
  EXPECT_EQ(errno_of([&] { host_->remove_directory("/d"); }), ENOTEMPTY);
  host_->remove_directory("/d/e");
  host_->remove_file("/f");
  EXPECT_FALSE(fs::exists(root_ / "f"));
  EXPECT_EQ(errno_of([&] { host_->remove_file("/d"); }), EISDIR);
  write(*file, 0, "still there");
}

TEST_F(HostDirectoryTest, AppendsAndTruncatesAsItWasOpened) {
  auto append = host_->open("/f", {.read = false, .write = true, .append = true});
  write(*append, 0, "!");
  EXPECT_EQ(content_of(root_ / "f"), "content!");
  host_->open("/f", {.read = false, .write = true, .truncate = true});
  EXPECT_EQ(content_of(root_ / "f"), "");
}

TEST_F(HostDirectoryTest, ChangesModeTimeAndSizeButNoOwner) {
  host_->change("/f",
                {.permissions = 0600, .size = 3, .modified = VfsTime(std::chrono::seconds(5))});
  const VfsAttributes about = host_->attributes("/f");
  EXPECT_EQ(about.permissions, 0600U);
  EXPECT_EQ(about.size, 3U);
  EXPECT_EQ(about.modified, VfsTime(std::chrono::seconds(5)));
  host_->change("/f", {.permissions = 06755});
  struct stat found{};
  ASSERT_EQ(::stat((root_ / "f").c_str(), &found), 0);
  EXPECT_EQ(found.st_mode & 07777, 0755U) << "no set-user-ID on the host";
  host_->change("/f", {.uid = 0, .gid = 0});
  EXPECT_EQ(errno_of([&] { host_->change("/f", {.uid = 1000}); }), EPERM);
}

TEST_F(HostDirectoryTest, ShowsLinksAndFollowsNone) {
  fs::create_symlink("../secret", root_ / "out");
  fs::create_symlink("d", root_ / "in");
  fs::create_symlink(base_, root_ / "up");
  host_->make_link("/made", "/etc/passwd");
  EXPECT_EQ(host_->read_link("/out"), "../secret");
  EXPECT_EQ(host_->read_link("/made"), "/etc/passwd");
  EXPECT_EQ(host_->attributes("/out").type, FileType::kSymlink);
  EXPECT_EQ(errno_of([&] { host_->read_link("/f"); }), EINVAL);
  const VfsOpen write{.read = false, .write = true, .truncate = true};
  for (const char* path : {"/out", "/in", "/made", "/up"}) {
    EXPECT_EQ(errno_of([&] { host_->open(path, {}); }), ELOOP) << path;
    EXPECT_EQ(errno_of([&] { host_->open(path, write); }), ELOOP) << path;
    EXPECT_EQ(errno_of([&] { host_->list(path); }), ELOOP) << path;
    EXPECT_EQ(errno_of([&] { host_->change(path, {.permissions = 0777}); }), ELOOP) << path;
    EXPECT_EQ(errno_of([&] { host_->change(path, {.size = 0}); }), ELOOP) << path;
  }
  for (const char* path : {"/up/secret", "/in/x", "/up/shared/f"}) {
    EXPECT_EQ(errno_of([&] { host_->attributes(path); }), ELOOP) << path;
    EXPECT_EQ(errno_of([&] { host_->create(path, 0644, write); }), ELOOP) << path;
    EXPECT_EQ(errno_of([&] { host_->remove_file(path); }), ELOOP) << path;
    EXPECT_EQ(errno_of([&] { host_->rename("/f", path, VfsRename::kReplace); }), ELOOP) << path;
    EXPECT_EQ(errno_of([&] { host_->rename(path, "/g", VfsRename::kReplace); }), ELOOP) << path;
    EXPECT_EQ(errno_of([&] { host_->make_link(path, "x"); }), ELOOP) << path;
    EXPECT_EQ(errno_of([&] { host_->read_link(path); }), ELOOP) << path;
  }
  EXPECT_EQ(content_of(base_ / "secret"), "secret");
}

TEST_F(HostDirectoryTest, DotsLeadNowhere) {
  for (const char* path : {"/..", "/../secret", "/d/../../secret", "//etc/passwd", "/.", "/d/.."}) {
    EXPECT_NE(errno_of([&] { host_->open(path, {}); }), 0) << path;
    EXPECT_NE(errno_of([&] { host_->remove_file(path); }), 0) << path;
    EXPECT_NE(errno_of([&] { host_->rename(path, "/x", VfsRename::kReplace); }), 0) << path;
  }
  EXPECT_EQ(errno_of([&] { host_->attributes("/../secret"); }), EXDEV);
  EXPECT_EQ(content_of(base_ / "secret"), "secret");
}

TEST_F(HostDirectoryTest, ADirectoryThatTurnsIntoALinkLeadsNowhereEither) {
  std::atomic<bool> stop = false;
  fs::create_directories(root_ / "dir");
  put(root_ / "dir/secret", "inside");
  fs::create_symlink(base_, root_ / "link");
  std::jthread exchange([&] {
    while (!stop)
      host_->rename("/dir", "/link", VfsRename::kExchange);
  });
  HostDirectory other(root_);
  int seen = 0;
  for (int i = 0; i < 20'000; ++i) {
    try {
      auto file = other.open("/dir/secret", {});
      std::string content(6, '\0');
      content.resize(file->read(0, std::as_writable_bytes(std::span(content))));
      EXPECT_EQ(content, "inside");
      ++seen;
    } catch (const std::system_error&) {
    }
  }
  stop = true;
  EXPECT_GT(seen, 0);
}

TEST_F(HostDirectoryTest, WhatIsNoFileIsNotShownAndNotOpened) {
  ::mkfifo((root_ / "pipe").c_str(), 0600);
  for (const FileEntry& entry : host_->list("/"))
    EXPECT_NE(entry.name, "pipe");
  EXPECT_EQ(host_->attributes("/pipe").type, FileType::kOther);
  EXPECT_EQ(errno_of([&] { host_->open("/pipe", {}); }), EINVAL);
}

TEST_F(HostDirectoryTest, ReadOnlyChangesNothing) {
  HostDirectory reader(root_, VfsAccess::kReadOnly);
  const VfsOpen write{.read = true, .write = true};
  EXPECT_NO_THROW(reader.open("/f", {}));
  EXPECT_EQ(errno_of([&] { reader.open("/f", write); }), EROFS);
  EXPECT_EQ(errno_of([&] { reader.create("/g", 0644, write); }), EROFS);
  EXPECT_EQ(errno_of([&] { reader.remove_file("/f"); }), EROFS);
  EXPECT_EQ(errno_of([&] { reader.remove_directory("/d"); }), EROFS);
  EXPECT_EQ(errno_of([&] { reader.make_directory("/e", 0755); }), EROFS);
  EXPECT_EQ(errno_of([&] { reader.rename("/f", "/g", VfsRename::kReplace); }), EROFS);
  EXPECT_EQ(errno_of([&] { reader.change("/f", {.size = 0}); }), EROFS);
  EXPECT_EQ(errno_of([&] { reader.make_link("/l", "f"); }), EROFS);
}

TEST_F(HostDirectoryTest, StaysAtTheDirectoryThatItWasGiven) {
  fs::rename(root_, base_ / "elsewhere");
  fs::create_directory(root_);
  EXPECT_EQ(read("/f"), "content");
  EXPECT_THROW(HostDirectory(base_ / "none"), ApiError);
  EXPECT_THROW(HostDirectory(base_ / "secret"), ApiError);
}

}  // namespace
}  // namespace gondolin
