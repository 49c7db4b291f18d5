// What the host is told of `listeners` when programs edit it their ways.
#include <linux/fs.h>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "fuse_guest.hpp"
#include "vfs/config_directory.hpp"

namespace gondolin::vfs {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

constexpr const char* kMissing = "(missing)";

class Listeners : public testing::Test {
 protected:
  Listeners() {
    directory_.on_listeners_change([this](const ListenersSnapshot& now) {
      told_.push_back(now.content.value_or(kMissing));
      EXPECT_GT(now.version, last_version_);
      last_version_ = now.version;
    });
    EXPECT_EQ(guest_.mount().error, 0);
  }

  ConfigDirectory directory_{"/ :1\n"};
  FuseGuest guest_{directory_};
  std::vector<std::string> told_;
  std::uint64_t last_version_ = 0;
};

TEST_F(Listeners, AreNotToldAgainWhenOnlyRead) {
  EXPECT_EQ(guest_.cat("listeners"), "/ :1\n");
  const auto file = guest_.open_path("listeners", O_RDWR);
  guest_.fsync(file.node, file.handle);
  guest_.close(file);
  EXPECT_THAT(told_, IsEmpty());
  EXPECT_EQ(directory_.read().content, "/ :1\n");
}

TEST_F(Listeners, OfEchoAreToldOnceAndNeverEmpty) {
  guest_.echo("/ :8000\n", "listeners");
  EXPECT_THAT(told_, ElementsAre("/ :8000\n"));
}

TEST_F(Listeners, OfEchoAppendAreToldWhole) {
  guest_.echo("/a :2\n", "listeners", O_APPEND);
  guest_.echo("/b :3\n", "listeners", O_APPEND);
  EXPECT_THAT(told_, ElementsAre("/ :1\n/a :2\n", "/ :1\n/a :2\n/b :3\n"));
}

TEST_F(Listeners, OfAppendGoToTheEndWhateverTheOffsetSays) {
  const auto file = guest_.open_path("listeners", O_WRONLY | O_APPEND);
  guest_.write(file.node, file.handle, 0, "/a :2\n", O_WRONLY | O_APPEND);
  guest_.close(file);
  EXPECT_THAT(told_, ElementsAre("/ :1\n/a :2\n"));
}

TEST_F(Listeners, OfTwoProgramsInOneRedirectionAreToldAtItsEnd) {
  const auto file = guest_.open_path("listeners", O_WRONLY | O_TRUNC);
  guest_.write(file.node, file.handle, 0, "/a :2\n");
  guest_.flush(file.node, file.handle);  // the first program exits
  EXPECT_THAT(told_, IsEmpty());
  EXPECT_EQ(directory_.read().content, "/ :1\n");
  guest_.write(file.node, file.handle, 6, "/b :3\n");
  guest_.close(file);
  EXPECT_THAT(told_, ElementsAre("/a :2\n/b :3\n"));
}

TEST_F(Listeners, OfFsyncAreToldWhileTheFileStaysOpen) {
  const auto file = guest_.open_path("listeners", O_WRONLY | O_TRUNC);
  guest_.write(file.node, file.handle, 0, "/a :2\n");
  guest_.fsync(file.node, file.handle);
  EXPECT_THAT(told_, ElementsAre("/a :2\n"));
  guest_.write(file.node, file.handle, 6, "/b :3\n");
  EXPECT_THAT(told_, ElementsAre("/a :2\n"));
  guest_.close(file);
  EXPECT_THAT(told_, ElementsAre("/a :2\n", "/a :2\n/b :3\n"));
}

TEST_F(Listeners, OfMvOverAreToldOnce) {
  guest_.echo("/mv :2\n", "tmp");
  EXPECT_THAT(told_, IsEmpty());
  EXPECT_EQ(guest_.rename("tmp", "listeners").error, 0);
  EXPECT_THAT(told_, ElementsAre("/mv :2\n"));
  EXPECT_EQ(guest_.node_of("tmp"), 0U);
}

TEST_F(Listeners, OfMvOfAFileStillBeingWrittenWaitForItsEnd) {
  const auto file = guest_.open_path("tmp", O_WRONLY | O_CREAT);
  guest_.write(file.node, file.handle, 0, "/ha");
  EXPECT_EQ(guest_.rename("tmp", "listeners").error, 0);
  EXPECT_THAT(told_, IsEmpty());
  guest_.write(file.node, file.handle, 3, "lf :2\n");
  guest_.close(file);
  EXPECT_THAT(told_, ElementsAre("/half :2\n"));
}

TEST_F(Listeners, OfSedInPlaceAreToldOnce) {
  const auto in = guest_.open_path("listeners", O_RDONLY);
  const auto out = guest_.open_path("sedAbCdEf", O_RDWR | O_CREAT | O_EXCL);
  fuse_setattr_in mode{};
  mode.valid = FATTR_MODE | FATTR_FH;
  mode.fh = out.handle;
  mode.mode = 0100644;
  EXPECT_EQ(guest_.setattr(out.node, mode).error, 0);
  guest_.read(in.node, in.handle);
  guest_.write(out.node, out.handle, 0, "/sed :1\n");
  guest_.close(in);
  guest_.close(out);
  EXPECT_EQ(guest_.rename("sedAbCdEf", "listeners").error, 0);
  EXPECT_THAT(told_, ElementsAre("/sed :1\n"));
}

TEST_F(Listeners, OfVimWritingInPlaceAreToldOnce) {
  const auto swap = guest_.open_path(".listeners.swp", O_RDWR | O_CREAT | O_EXCL);
  guest_.write(swap.node, swap.handle, 0, std::string(4096, 's'));
  guest_.write(swap.node, swap.handle, 8192, std::string(4096, 's'));
  guest_.echo("/ :1\n", "listeners~");
  const auto file = guest_.open_path("listeners", O_WRONLY | O_CREAT);
  guest_.truncate(file.node, 0, file.handle);
  guest_.write(file.node, file.handle, 0, "/vim :1\n");
  guest_.fsync(file.node, file.handle);
  guest_.close(file);
  guest_.unlink("listeners~");
  guest_.close(swap);
  guest_.unlink(".listeners.swp");
  EXPECT_THAT(told_, ElementsAre("/vim :1\n"));
}

TEST_F(Listeners, OfVimRenamingAreToldMissingAndThenNew) {
  guest_.rename("listeners", "listeners~");
  const auto file = guest_.open_path("listeners", O_WRONLY | O_CREAT | O_TRUNC);
  guest_.write(file.node, file.handle, 0, "/vim :1\n");
  guest_.close(file);
  guest_.unlink("listeners~");
  EXPECT_THAT(told_, ElementsAre(kMissing, "/vim :1\n"));
}

TEST_F(Listeners, OfRmAreToldMissingAndCanBeMadeAgain) {
  EXPECT_EQ(guest_.unlink("listeners").error, 0);
  EXPECT_EQ(directory_.read().content, std::nullopt);
  guest_.echo("/again :1\n", "listeners");
  EXPECT_THAT(told_, ElementsAre(kMissing, "/again :1\n"));
}

TEST_F(Listeners, OfTouchAfterRmAreToldEmpty) {
  guest_.unlink("listeners");
  guest_.close(guest_.open_path("listeners", O_WRONLY | O_CREAT));
  EXPECT_THAT(told_, ElementsAre(kMissing, ""));
}

TEST_F(Listeners, OfTruncateAreToldAtOnce) {
  EXPECT_EQ(guest_.truncate(guest_.node_of("listeners"), 0).error, 0);
  EXPECT_THAT(told_, ElementsAre(""));
}

TEST_F(Listeners, OfFtruncateAreToldAtTheEndOfTheEdit) {
  const auto file = guest_.open_path("listeners", O_WRONLY);
  EXPECT_EQ(guest_.truncate(file.node, 0, file.handle).error, 0);
  EXPECT_THAT(told_, IsEmpty());
  guest_.write(file.node, file.handle, 0, "/py :1\n");
  guest_.close(file);
  EXPECT_THAT(told_, ElementsAre("/py :1\n"));
}

TEST_F(Listeners, OfTwoWritersAreToldWhenBothAreDone) {
  const auto slow = guest_.open_path("listeners", O_WRONLY | O_TRUNC);
  guest_.write(slow.node, slow.handle, 0, "/slo");
  const auto quick = guest_.open_path("listeners", O_WRONLY | O_APPEND);
  guest_.write(quick.node, quick.handle, 0, "w :1\n", O_WRONLY | O_APPEND);
  guest_.close(quick);
  EXPECT_THAT(told_, IsEmpty());
  guest_.close(slow);
  EXPECT_THAT(told_, ElementsAre("/slow :1\n"));
}

TEST_F(Listeners, OfAnIdleWriterHoldNobodyUp) {
  const auto idle = guest_.open_path("listeners", O_RDWR);
  guest_.echo("/ :2\n", "listeners");
  EXPECT_THAT(told_, ElementsAre("/ :2\n"));
  guest_.close(idle);
  EXPECT_THAT(told_, ElementsAre("/ :2\n"));
}

TEST_F(Listeners, OfExchangeAreTold) {
  guest_.echo("/other :1\n", "other");
  EXPECT_EQ(guest_.rename("listeners", "other", RENAME_EXCHANGE).error, 0);
  EXPECT_THAT(told_, ElementsAre("/other :1\n"));
  EXPECT_EQ(guest_.cat("other"), "/ :1\n");
}

TEST_F(Listeners, OfAnUnlinkedFileStillOpenAreNotTold) {
  const auto file = guest_.open_path("listeners", O_RDWR);
  guest_.unlink("listeners");
  EXPECT_EQ(guest_.write(file.node, file.handle, 5, "/more :1\n").error, 0);
  EXPECT_EQ(guest_.read(file.node, file.handle).body, "/ :1\n/more :1\n");
  guest_.close(file);
  EXPECT_THAT(told_, ElementsAre(kMissing));
}

TEST_F(Listeners, OverTheLimitFailWithEfbigAndStayAsTheyWere) {
  const auto file = guest_.open_path("listeners", O_WRONLY | O_TRUNC);
  EXPECT_EQ(guest_.write(file.node, file.handle, 0, std::string(65536, 'x')).error, 0);
  EXPECT_EQ(guest_.write(file.node, file.handle, 65536, "x").error, EFBIG);
  guest_.close(file);
  EXPECT_THAT(told_, IsEmpty());
  EXPECT_EQ(guest_.cat("listeners"), "/ :1\n");
}

TEST_F(Listeners, OverTheLimitCanBeMendedByTheSameWriter) {
  const auto file = guest_.open_path("listeners", O_WRONLY);
  EXPECT_EQ(guest_.write(file.node, file.handle, 65536, "x").error, EFBIG);
  EXPECT_EQ(guest_.truncate(file.node, 0, file.handle).error, 0);
  guest_.write(file.node, file.handle, 0, "/ok :1\n");
  guest_.close(file);
  EXPECT_THAT(told_, ElementsAre("/ok :1\n"));
}

TEST_F(Listeners, OverTheLimitCannotComeByRenameOrTruncate) {
  const auto file = guest_.open_path("big", O_WRONLY | O_CREAT);
  guest_.write(file.node, file.handle, 65000, std::string(1000, 'x'));
  guest_.close(file);
  EXPECT_EQ(guest_.rename("big", "listeners").error, EFBIG);
  EXPECT_EQ(guest_.rename("listeners", "big", RENAME_EXCHANGE).error, EFBIG);
  EXPECT_EQ(guest_.rename("big", "listeners", RENAME_EXCHANGE).error, EFBIG);
  EXPECT_EQ(guest_.truncate(guest_.node_of("listeners"), 65537).error, EFBIG);
  EXPECT_THAT(told_, IsEmpty());
}

TEST_F(Listeners, OfAWriterWhoseDaemonDiedAreTakenBack) {
  const auto file = guest_.open_path("listeners", O_WRONLY | O_TRUNC);
  guest_.write(file.node, file.handle, 0, "/hal");
  guest_.session().reset();
  EXPECT_EQ(guest_.mount().error, 0);
  EXPECT_THAT(told_, IsEmpty());
  EXPECT_EQ(guest_.cat("listeners"), "/ :1\n");
  EXPECT_EQ(guest_.write(file.node, file.handle, 4, "f").error, EBADF);
  guest_.echo("/ :2\n", "listeners");
  EXPECT_THAT(told_, ElementsAre("/ :2\n"));
}

TEST_F(Listeners, MadeByAWriterWhoseDaemonDiedAreGone) {
  guest_.unlink("listeners");
  const auto file = guest_.open_path("listeners", O_WRONLY | O_CREAT);
  guest_.write(file.node, file.handle, 0, "/hal");
  EXPECT_EQ(guest_.mount().error, 0);  // a new mount without a notice
  EXPECT_EQ(guest_.node_of("listeners"), 0U);
  EXPECT_THAT(told_, ElementsAre(kMissing));
}

// --- the host's side -----------------------------------------------------------

TEST_F(Listeners, CanBeReplacedByTheHostAtTheVersionItRead) {
  guest_.echo("/ :2\n", "listeners");
  const auto replaced = directory_.replace_if(directory_.read().version, "/\t:2\n");
  ASSERT_TRUE(replaced.has_value());
  EXPECT_EQ(directory_.read().version, *replaced);
  EXPECT_EQ(guest_.cat("listeners"), "/\t:2\n");
  EXPECT_THAT(told_, ElementsAre("/ :2\n"));
}

TEST_F(Listeners, AreNotReplacedOverAnEditThatCameAfter) {
  const std::uint64_t version = directory_.read().version;
  guest_.echo("/ :2\n", "listeners");
  const auto replaced = directory_.replace_if(version, "/ :3\n");
  ASSERT_FALSE(replaced.has_value());
  EXPECT_EQ(replaced.error().code, ErrorCode::kRefused);
  EXPECT_EQ(guest_.cat("listeners"), "/ :2\n");
}

TEST_F(Listeners, AreNotReplacedWhileAWriterIsAtWork) {
  const auto file = guest_.open_path("listeners", O_WRONLY);
  EXPECT_FALSE(directory_.replace_if(directory_.read().version, "/ :3\n").has_value());
  guest_.write(file.node, file.handle, 0, "/ :2\n");
  EXPECT_FALSE(directory_.replace_if(directory_.read().version, "/ :3\n").has_value());
  guest_.close(file);
  EXPECT_TRUE(directory_.replace_if(directory_.read().version, "/ :3\n").has_value());
}

TEST_F(Listeners, AreMadeAgainByTheHost) {
  guest_.unlink("listeners");
  ASSERT_TRUE(directory_.replace_if(directory_.read().version, "/ :3\n").has_value());
  EXPECT_EQ(guest_.cat("listeners"), "/ :3\n");
}

TEST_F(Listeners, AreNotReplacedByMoreThanTheLimit) {
  const auto replaced = directory_.replace_if(directory_.read().version, std::string(65537, 'x'));
  ASSERT_FALSE(replaced.has_value());
  EXPECT_EQ(replaced.error().code, ErrorCode::kLimit);
}

TEST(ListenersListener, MayRewriteTheFileItIsToldOf) {
  ConfigDirectory directory("");
  FuseGuest guest(directory);
  guest.mount();
  directory.on_listeners_change([&](const ListenersSnapshot& now) {
    EXPECT_TRUE(directory.replace_if(now.version, "# " + now.content.value_or("")).has_value());
    directory.set_status("told\n");
  });
  guest.echo("one\n", "listeners");
  EXPECT_EQ(guest.cat("listeners"), "# one\n");
  EXPECT_EQ(guest.cat("status"), "told\n");
  EXPECT_EQ(directory.read().content, "# one\n");
}

}  // namespace
}  // namespace gondolin::vfs
