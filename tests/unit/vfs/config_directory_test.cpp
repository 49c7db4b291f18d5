// The files of /etc/gondolin as a guest's programs meet them: attributes, limits,
// names, what is refused.
#include "vfs/config_directory.hpp"

#include <linux/fs.h>
#include <sys/stat.h>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "fuse_guest.hpp"

namespace gondolin::vfs {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::EndsWith;
using testing::IsEmpty;
using namespace std::chrono_literals;

class Directory : public testing::Test {
 protected:
  Directory() {
    directory_.set_status("generation 1\n");
    EXPECT_EQ(guest_.mount().error, 0);
  }

  Listing list(std::uint64_t offset = 0, std::uint32_t size = 4096) {
    fuse_read_in in{};
    in.offset = offset;
    in.size = size;
    return parse_listing(guest_.call(FUSE_READDIR, FuseGuest::kRoot, raw(in)).body);
  }
  fuse_attr attributes(std::string_view file) {
    return guest_.lookup(file).as<fuse_entry_out>().attr;
  }
  void fill(std::string_view file, std::size_t size) {
    const auto opened = guest_.open_path(file, O_WRONLY | O_CREAT);
    for (std::size_t at = 0; at < size; at += 65536) {
      const std::string piece(std::min<std::size_t>(65536, size - at), 'x');
      ASSERT_EQ(guest_.write(opened.node, opened.handle, at, piece).error, 0);
    }
    guest_.close(opened);
  }

  Time now_{1000s};
  ConfigDirectory directory_{"/ :1\n", [this] { return now_; }};
  FuseGuest guest_{directory_};
};

TEST_F(Directory, ListsItsFiles) {
  guest_.echo("x", "other");
  EXPECT_THAT(list().names, ElementsAre(".", "..", "status", "listeners", "other"));
}

TEST_F(Directory, ListsOnFromAnyOffset) {
  std::vector<std::string> names;
  Listing part = list(0, 64);
  while (!part.names.empty()) {
    names.insert(names.end(), part.names.begin(), part.names.end());
    part = list(part.next, 64);
  }
  EXPECT_THAT(names, ElementsAre(".", "..", "status", "listeners"));
}

TEST_F(Directory, ListsEachFileOnceWhileOthersGo) {
  guest_.echo("x", "a");
  guest_.echo("x", "b");
  const Listing first = list(0, 32 * 3);
  EXPECT_THAT(first.names, ElementsAre(".", "..", "status"));
  guest_.unlink("a");
  EXPECT_THAT(list(first.next).names, ElementsAre("listeners", "b"));
}

TEST_F(Directory, ShowsModesOwnersAndLinks) {
  const fuse_attr listeners = attributes("listeners");
  EXPECT_EQ(listeners.mode, static_cast<std::uint32_t>(S_IFREG | 0644));
  EXPECT_EQ(listeners.nlink, 1U);
  EXPECT_EQ(listeners.size, 5U);
  EXPECT_EQ(listeners.blocks, 1U);
  EXPECT_EQ(attributes("status").mode, static_cast<std::uint32_t>(S_IFREG | 0444));
  EXPECT_EQ(attributes("status").size, 13U);
  const auto root = guest_.getattr(FuseGuest::kRoot).as<fuse_attr_out>().attr;
  EXPECT_EQ(root.mode, static_cast<std::uint32_t>(S_IFDIR | 0755));
}

TEST_F(Directory, LetsTheKernelCacheNothing) {
  const auto entry = guest_.lookup("listeners").as<fuse_entry_out>();
  EXPECT_EQ(entry.entry_valid + entry.entry_valid_nsec, 0U);
  EXPECT_EQ(entry.attr_valid + entry.attr_valid_nsec, 0U);
  const auto opened = guest_.open(entry.nodeid, O_RDONLY).as<fuse_open_out>();
  EXPECT_EQ(opened.open_flags & FOPEN_DIRECT_IO, FOPEN_DIRECT_IO);
  EXPECT_EQ(opened.open_flags & FOPEN_KEEP_CACHE, 0U);
}

TEST_F(Directory, KeepsTimes) {
  now_ = Time(2000s + 5ns);
  guest_.echo("x", "listeners", O_APPEND);
  const fuse_attr written = attributes("listeners");
  EXPECT_EQ(written.mtime, 2000U);
  EXPECT_EQ(written.mtimensec, 5U);
  EXPECT_EQ(written.ctime, 2000U);
  now_ = Time(3000s);
  fuse_setattr_in times{};
  times.valid = FATTR_ATIME | FATTR_MTIME;
  times.atime = 7;
  times.mtime = 8;
  times.mtimensec = 9;
  EXPECT_EQ(guest_.setattr(guest_.node_of("listeners"), times).error, 0);
  const fuse_attr set = attributes("listeners");
  EXPECT_EQ(set.atime, 7U);
  EXPECT_EQ(set.mtime, 8U);
  EXPECT_EQ(set.mtimensec, 9U);
  EXPECT_EQ(set.ctime, 3000U);
}

TEST_F(Directory, SurvivesImpossibleTimes) {
  fuse_setattr_in times{};
  times.valid = FATTR_ATIME | FATTR_MTIME;
  times.atime = ~0ULL >> 1;
  times.atimensec = ~0U;
  times.mtime = 1ULL << 63;
  EXPECT_EQ(guest_.setattr(guest_.node_of("listeners"), times).error, 0);
}

TEST_F(Directory, KeepsModesAndOwners) {
  fuse_setattr_in in{};
  in.valid = FATTR_MODE | FATTR_UID | FATTR_GID;
  in.mode = S_IFREG | 0600;
  in.uid = 1000;
  in.gid = 1001;
  EXPECT_EQ(guest_.setattr(guest_.node_of("listeners"), in).error, 0);
  const fuse_attr set = attributes("listeners");
  EXPECT_EQ(set.mode, static_cast<std::uint32_t>(S_IFREG | 0600));
  EXPECT_EQ(set.uid, 1000U);
  EXPECT_EQ(set.gid, 1001U);
}

TEST_F(Directory, FillsHolesWithZeros) {
  const auto file = guest_.open_path("x", O_RDWR | O_CREAT);
  guest_.write(file.node, file.handle, 3, "abc");
  EXPECT_EQ(guest_.read(file.node, file.handle).body, std::string("\0\0\0abc", 6));
  EXPECT_EQ(guest_.truncate(file.node, 4, file.handle).error, 0);
  EXPECT_EQ(guest_.truncate(file.node, 5, file.handle).error, 0);
  EXPECT_EQ(guest_.read(file.node, file.handle).body, std::string("\0\0\0a\0", 5));
}

TEST_F(Directory, ReadsFromOffsetsAndBeyondTheEnd) {
  const auto file = guest_.open_path("listeners", O_RDONLY);
  EXPECT_EQ(guest_.read(file.node, file.handle, 2, 2).body, ":1");
  EXPECT_EQ(guest_.read(file.node, file.handle, 5).body, "");
  EXPECT_EQ(guest_.read(file.node, file.handle, ~0ULL).body, "");
}

TEST_F(Directory, KeepsUnlinkedFilesWhileTheyAreOpen) {
  const auto file = guest_.open_path("x", O_RDWR | O_CREAT);
  EXPECT_EQ(guest_.unlink("x").error, 0);
  guest_.write(file.node, file.handle, 0, "still");
  EXPECT_EQ(guest_.read(file.node, file.handle).body, "still");
  EXPECT_EQ(guest_.getattr(file.node).as<fuse_attr_out>().attr.nlink, 0U);
  guest_.close(file);
  EXPECT_EQ(guest_.getattr(file.node).error, ESTALE);
  EXPECT_EQ(guest_.open(file.node, O_RDONLY).error, ESTALE);
}

TEST_F(Directory, NeverGivesANodeTwice) {
  guest_.echo("x", "x");
  const std::uint64_t node = guest_.node_of("x");
  guest_.unlink("x");
  guest_.echo("x", "x");
  EXPECT_NE(guest_.node_of("x"), node);
}

TEST_F(Directory, HonoursHowAFileWasOpened) {
  const auto reader = guest_.open_path("listeners", O_RDONLY);
  EXPECT_EQ(guest_.write(reader.node, reader.handle, 0, "x").error, EBADF);
  EXPECT_EQ(guest_.truncate(reader.node, 0, reader.handle).error, EBADF);
  const auto writer = guest_.open_path("listeners", O_WRONLY);
  EXPECT_EQ(guest_.read(writer.node, writer.handle).error, EBADF);
  EXPECT_EQ(guest_.read(writer.node + 1, reader.handle).error, EBADF);
  EXPECT_EQ(guest_.release(writer.node, 12345).error, EBADF);
}

TEST_F(Directory, RefusesExclusiveCreationOfWhatExists) {
  EXPECT_EQ(guest_.create("listeners", O_WRONLY | O_EXCL).error, EEXIST);
  EXPECT_EQ(guest_.create("status", O_RDONLY | O_EXCL).error, EEXIST);
  EXPECT_EQ(guest_.create("listeners", O_WRONLY).error, 0);
}

// --- renaming --------------------------------------------------------------------

TEST_F(Directory, RenamesAsAsked) {
  guest_.echo("a", "a");
  guest_.echo("b", "b");
  EXPECT_EQ(guest_.rename("a", "b", RENAME_NOREPLACE).error, EEXIST);
  EXPECT_EQ(guest_.rename("a", "c", RENAME_EXCHANGE).error, ENOENT);
  EXPECT_EQ(guest_.rename("a", "b", RENAME_WHITEOUT).error, EINVAL);
  EXPECT_EQ(guest_.rename("a", "b", RENAME_NOREPLACE | RENAME_EXCHANGE).error, EINVAL);
  EXPECT_EQ(guest_.rename("nothing", "b").error, ENOENT);
  EXPECT_EQ(guest_.rename("a", "a").error, 0);
  EXPECT_EQ(guest_.rename("a", "b", RENAME_EXCHANGE).error, 0);
  EXPECT_EQ(guest_.cat("a"), "b");
  EXPECT_EQ(guest_.rename("a", "b").error, 0);
  EXPECT_EQ(guest_.cat("b"), "b");
  EXPECT_EQ(guest_.rename("b", "c", RENAME_NOREPLACE).error, 0);
  EXPECT_THAT(list().names, ElementsAre(".", "..", "status", "listeners", "c"));
}

TEST_F(Directory, KeepsAnOpenFileThatIsReplaced) {
  guest_.echo("old", "a");
  guest_.echo("new", "b");
  const auto file = guest_.open_path("a", O_RDONLY);
  guest_.rename("b", "a");
  EXPECT_EQ(guest_.read(file.node, file.handle).body, "old");
  EXPECT_EQ(guest_.cat("a"), "new");
}

// --- status ------------------------------------------------------------------------

TEST_F(Directory, LetsStatusBeReadAndNothingElse) {
  EXPECT_EQ(guest_.cat("status"), "generation 1\n");
  const std::uint64_t node = guest_.node_of("status");
  EXPECT_EQ(guest_.open(node, O_WRONLY).error, EACCES);
  EXPECT_EQ(guest_.open(node, O_RDONLY | O_TRUNC).error, EACCES);
  EXPECT_EQ(guest_.create("status", O_RDWR).error, EACCES);
  EXPECT_EQ(guest_.truncate(node, 0).error, EACCES);
  fuse_setattr_in mode{};
  mode.valid = FATTR_MODE;
  EXPECT_EQ(guest_.setattr(node, mode).error, EPERM);
  EXPECT_EQ(guest_.setattr(FuseGuest::kRoot, mode).error, EPERM);
  EXPECT_EQ(guest_.unlink("status").error, EPERM);
  EXPECT_EQ(guest_.rename("status", "x").error, EPERM);
  EXPECT_EQ(guest_.rename("listeners", "status").error, EPERM);
  EXPECT_EQ(guest_.rename("listeners", "status", RENAME_EXCHANGE).error, EPERM);
}

TEST_F(Directory, ShowsTheNewestStatusToWhoeverOpensIt) {
  int asked = 0;
  directory_.set_status_source([&] { return "asked " + std::to_string(++asked) + "\n"; });
  const std::string first = guest_.cat("status");
  const std::string second = guest_.cat("status");
  EXPECT_NE(first, second);
}

TEST_F(Directory, ShowsOneStatusToWhoeverReadsItInPieces) {
  const auto file = guest_.open_path("status", O_RDONLY);
  EXPECT_EQ(guest_.read(file.node, file.handle, 0, 5).body, "gener");
  directory_.set_status("something else entirely\n");
  EXPECT_EQ(guest_.read(file.node, file.handle, 5).body, "ation 1\n");
}

TEST_F(Directory, GivesStatusTheTimeOfItsChange) {
  now_ = Time(2000s);
  directory_.set_status("generation 2\n");
  EXPECT_EQ(attributes("status").mtime, 2000U);
  now_ = Time(3000s);
  EXPECT_EQ(attributes("status").mtime, 2000U);
}

TEST_F(Directory, CutsAStatusWithoutEnd) {
  std::string status;
  while (status.size() < 1'000'000)
    status += "/prefix  :80\n";
  directory_.set_status(status);
  EXPECT_LE(attributes("status").size, ConfigDirectory::kMaxStatusSize);
  const auto opened = guest_.open_path("status", O_RDONLY);
  const auto end = guest_.read(opened.node, opened.handle, attributes("status").size - 100).body;
  EXPECT_THAT(end, EndsWith("/prefix  :80\n... and more, which is not shown\n"));
}

// --- limits ------------------------------------------------------------------------

TEST_F(Directory, BoundsAFile) {
  fill("x", ConfigDirectory::kMaxFileSize);
  const auto file = guest_.open_path("x", O_WRONLY);
  EXPECT_EQ(guest_.write(file.node, file.handle, ConfigDirectory::kMaxFileSize, "x").error, EFBIG);
  EXPECT_EQ(guest_.write(file.node, file.handle, ~0ULL, "x").error, EFBIG);
  EXPECT_EQ(guest_.truncate(file.node, ~0ULL).error, EFBIG);
  EXPECT_EQ(attributes("x").size, ConfigDirectory::kMaxFileSize);
}

TEST_F(Directory, BoundsAllFilesTogetherUnlinkedOnesIncluded) {
  const auto held = guest_.open_path("a", O_RDWR | O_CREAT);
  for (const char* file : {"a", "b", "c"})
    fill(file, ConfigDirectory::kMaxFileSize);
  guest_.unlink("a");
  fill("d", ConfigDirectory::kMaxFileSize - 5);
  EXPECT_EQ(guest_.truncate(guest_.node_of("d"), ConfigDirectory::kMaxFileSize - 4).error, ENOSPC);
  EXPECT_EQ(guest_.truncate(guest_.node_of("listeners"), 6).error, ENOSPC);
  const auto usage = guest_.call(FUSE_STATFS, FuseGuest::kRoot, "").as<fuse_statfs_out>().st;
  EXPECT_EQ(usage.blocks * usage.bsize, ConfigDirectory::kMaxTotalSize);
  EXPECT_EQ(usage.bfree, 0U);
  guest_.close(held);
  EXPECT_EQ(guest_.truncate(guest_.node_of("listeners"), 6).error, 0);
}

TEST_F(Directory, BoundsTheNumberOfFiles) {
  for (std::size_t i = 1; i < ConfigDirectory::kMaxFiles; ++i) {
    guest_.echo("x", std::to_string(i));
  }
  EXPECT_EQ(guest_.create("one more", O_WRONLY).error, ENOSPC);
  guest_.unlink("1");
  EXPECT_EQ(guest_.create("one more", O_WRONLY).error, 0);
}

TEST_F(Directory, BoundsTheNumberOfOpenFiles) {
  const std::uint64_t node = guest_.node_of("listeners");
  std::uint64_t handle = 0;
  for (std::size_t i = 0; i < ConfigDirectory::kMaxHandles; ++i) {
    const FuseReply opened = guest_.open(node, O_RDONLY);
    ASSERT_EQ(opened.error, 0);
    handle = opened.as<fuse_open_out>().fh;
  }
  EXPECT_EQ(guest_.open(node, O_RDONLY).error, ENFILE);
  EXPECT_EQ(guest_.create("x", O_WRONLY).error, ENFILE);
  EXPECT_EQ(guest_.node_of("x"), 0U);
  guest_.release(node, handle);
  EXPECT_EQ(guest_.open(node, O_RDONLY).error, 0);
}

// --- what a flat directory has not ---------------------------------------------------

TEST_F(Directory, HoldsFilesOnly) {
  EXPECT_EQ(guest_.call(FUSE_MKDIR, FuseGuest::kRoot, raw(fuse_mkdir_in{}) + name("d")).error,
            EPERM);
  EXPECT_EQ(guest_.call(FUSE_RMDIR, FuseGuest::kRoot, name("listeners")).error, ENOTDIR);
  EXPECT_EQ(guest_.call(FUSE_RMDIR, FuseGuest::kRoot, name("nothing")).error, ENOENT);
  EXPECT_EQ(guest_.call(FUSE_SYMLINK, FuseGuest::kRoot, name("a") + name("b")).error, EPERM);
  EXPECT_EQ(guest_.call(FUSE_READLINK, FuseGuest::kRoot, "").error, EINVAL);
  const std::uint64_t file = guest_.node_of("listeners");
  EXPECT_EQ(guest_.call(FUSE_LOOKUP, file, name("x")).error, ENOTDIR);
  EXPECT_EQ(guest_.call(FUSE_LOOKUP, 4711, name("x")).error, ESTALE);
  EXPECT_EQ(guest_.call(FUSE_OPENDIR, file, raw(fuse_open_in{})).error, ENOTDIR);
  EXPECT_EQ(guest_.open(FuseGuest::kRoot, O_RDONLY).error, EISDIR);
}

}  // namespace
}  // namespace gondolin::vfs
