#include "io/file_watch.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <fstream>
#include <optional>

#include <boost/asio/io_context.hpp>
#include <gtest/gtest.h>

#include "base/unique_fd.hpp"

namespace gondolin {
namespace {

using namespace std::chrono_literals;
namespace fs = std::filesystem;

class FileWatchTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string name = (fs::temp_directory_path() / "gondolin-watch-XXXXXX").string();
    ASSERT_NE(::mkdtemp(name.data()), nullptr);
    directory_ = name;
    file_ = directory_ / "listeners";
  }
  void TearDown() override {
    watch_.reset();
    fs::remove_all(directory_);
  }

  void start() {
    auto watch = FileWatch::start(loop_.get_executor(), file_, [this] { ++changes_; });
    ASSERT_TRUE(watch) << watch.error().message;
    watch_.emplace(std::move(*watch));
  }

  void write(std::string_view text) { std::ofstream(file_) << text; }

  // Whether a change is reported in time; takes it.
  bool changed(std::chrono::milliseconds within = 5s) {
    auto until = std::chrono::steady_clock::now() + within;
    while (changes_ == 0 && std::chrono::steady_clock::now() < until) {
      loop_.run_one_until(until);
    }
    loop_.poll();
    return std::exchange(changes_, 0) > 0;
  }

  boost::asio::io_context loop_;
  fs::path directory_;
  fs::path file_;
  std::optional<FileWatch> watch_;
  int changes_ = 0;
};

TEST_F(FileWatchTest, ReportsEveryKindOfChange) {
  start();
  write("created");
  EXPECT_TRUE(changed());
  std::ofstream(file_, std::ios::app) << "more";
  EXPECT_TRUE(changed());
  EXPECT_EQ(::truncate(file_.c_str(), 1), 0);
  EXPECT_TRUE(changed());
  std::ofstream(directory_ / "other") << "x";
  EXPECT_FALSE(changed(20ms));
  fs::rename(directory_ / "other", file_);
  EXPECT_TRUE(changed());
  fs::rename(file_, directory_ / "away");
  EXPECT_TRUE(changed());
  fs::create_hard_link(directory_ / "away", file_);
  EXPECT_TRUE(changed());
  fs::remove(file_);
  EXPECT_TRUE(changed());
}

TEST_F(FileWatchTest, WaitsForWhoeverIsWriting) {
  start();
  UniqueFd fd(::open(file_.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
  EXPECT_EQ(::write(fd.get(), "half", 4), 4);
  changed(20ms);  // the creation may be reported, before anything was written
  EXPECT_EQ(::write(fd.get(), "half", 4), 4);
  EXPECT_FALSE(changed(50ms));
  fd.reset();
  EXPECT_TRUE(changed());
}

TEST_F(FileWatchTest, WhatIsBeingWrittenIsNotRead) {
  write("whole");
  start();
  EXPECT_EQ(watch_->read(10).value(), "whole");
  UniqueFd fd(::open(file_.c_str(), O_WRONLY | O_TRUNC | O_CLOEXEC));
  EXPECT_EQ(watch_->read(10).error().code, ErrorCode::kRefused) << "truncated, to be written";
  EXPECT_EQ(::write(fd.get(), "ha", 2), 2);
  EXPECT_EQ(watch_->read(10).error().code, ErrorCode::kRefused);
  changed(50ms);
  EXPECT_EQ(watch_->read(10).error().code, ErrorCode::kRefused) << "however long it takes";
  EXPECT_EQ(::write(fd.get(), "lf", 2), 2);
  fd.reset();
  EXPECT_TRUE(changed());
  EXPECT_EQ(watch_->read(10).value(), "half");
  EXPECT_FALSE(changed(50ms)) << "and told once";
}

// Two openings that follow each other are told of as one.
TEST_F(FileWatchTest, AReaderHidesNoWriter) {
  write("whole");
  start();
  EXPECT_EQ(watch_->read(10).value(), "whole");
  UniqueFd reader(::open(file_.c_str(), O_RDONLY | O_CLOEXEC));
  UniqueFd writer(::open(file_.c_str(), O_WRONLY | O_TRUNC | O_CLOEXEC));
  reader.reset();
  EXPECT_EQ(watch_->read(10).error().code, ErrorCode::kRefused);
  changed(50ms);
  EXPECT_EQ(watch_->read(10).error().code, ErrorCode::kRefused) << "however long it takes";
  EXPECT_EQ(::write(writer.get(), "written", 7), 7);
  writer.reset();
  EXPECT_TRUE(changed());
  EXPECT_EQ(watch_->read(10).value(), "written");
}

TEST_F(FileWatchTest, AReaderHidesNoTruncation) {
  write("x");
  start();
  UniqueFd reader(::open(file_.c_str(), O_RDONLY | O_CLOEXEC));
  EXPECT_EQ(::truncate(file_.c_str(), 0), 0);
  EXPECT_TRUE(changed());
  EXPECT_EQ(watch_->read(10).value(), "");
}

TEST_F(FileWatchTest, AWriterThatRestsHidesNothing) {
  write("x");
  UniqueFd holder(::open(file_.c_str(), O_RDWR | O_CLOEXEC));
  start();
  EXPECT_EQ(watch_->read(10).value(), "x") << "as it is found";
  write("of another");
  do
    EXPECT_TRUE(changed());
  while (!watch_->read(10));
  EXPECT_EQ(watch_->read(10).value(), "of another");
  EXPECT_EQ(::pwrite(holder.get(), "ON", 2, 0), 2);
  do
    EXPECT_TRUE(changed());
  while (!watch_->read(10));
  EXPECT_EQ(watch_->read(10).value(), "ON another");
}

TEST_F(FileWatchTest, ReadingIsNoChange) {
  write("x");
  start();
  EXPECT_EQ(read_small_file(file_, 10).value(), "x");
  EXPECT_FALSE(changed(20ms));
}

TEST_F(FileWatchTest, SurvivesItsDirectoryBeingReplaced) {
  start();
  fs::remove_all(directory_);
  EXPECT_TRUE(changed());
  fs::create_directory(directory_);
  EXPECT_TRUE(changed());
  write("x");
  EXPECT_TRUE(changed());
}

TEST_F(FileWatchTest, FollowsALinkToItsFile) {
  fs::create_directory(directory_ / "elsewhere");
  const fs::path real = directory_ / "elsewhere" / "real";
  std::ofstream(real) << "x";
  fs::create_symlink(real, file_);
  start();
  std::ofstream(real) << "y";
  EXPECT_TRUE(changed());
  EXPECT_EQ(read_small_file(file_, 10).value(), "y");
  EXPECT_FALSE(changed(20ms)) << "reading is no change";
  std::ofstream(real.string() + ".new") << "z";
  fs::rename(real.string() + ".new", real);
  EXPECT_TRUE(changed());
  std::ofstream(real) << "in the new file";
  EXPECT_TRUE(changed());
  fs::remove(real);
  EXPECT_TRUE(changed());
}

TEST_F(FileWatchTest, FollowsADirectoryLinkThatIsSwapped) {
  for (const std::string_view version : {"..1", "..2"}) {
    fs::create_directory(directory_ / version);
    std::ofstream(directory_ / version / "listeners") << version;
  }
  fs::create_directory_symlink("..1", directory_ / "..data");
  fs::create_symlink("..data/listeners", file_);
  start();
  fs::create_directory_symlink("..2", directory_ / "..next");
  EXPECT_FALSE(changed(20ms));
  fs::rename(directory_ / "..next", directory_ / "..data");
  EXPECT_TRUE(changed());
  EXPECT_EQ(read_small_file(file_, 10).value(), "..2");
  std::ofstream(directory_ / "..1" / "listeners") << "of old";
  EXPECT_FALSE(changed(20ms));
  std::ofstream(directory_ / "..2" / "listeners") << "edited";
  EXPECT_TRUE(changed());
}

TEST_F(FileWatchTest, WaitsForWhatALinkNames) {
  fs::create_symlink(directory_ / "later" / "real", file_);
  start();
  EXPECT_FALSE(changed(20ms));
  fs::create_directory(directory_ / "later");
  EXPECT_TRUE(changed());
  std::ofstream(directory_ / "later" / "real") << "x";
  EXPECT_TRUE(changed());
}

TEST_F(FileWatchTest, ALoopOfLinksIsSurvived) {
  fs::create_symlink("listeners", file_);
  start();
  EXPECT_FALSE(changed(20ms));
  fs::remove(file_);
  EXPECT_TRUE(changed());
  write("x");
  EXPECT_TRUE(changed());
}

TEST_F(FileWatchTest, AMissingDirectoryIsAnError) {
  auto watch = FileWatch::start(loop_.get_executor(), directory_ / "no" / "file", [] {});
  EXPECT_FALSE(watch);
}

TEST_F(FileWatchTest, SmallFilesAreReadWithABound) {
  EXPECT_EQ(read_small_file(file_, 4).error().code, ErrorCode::kNotFound);
  write("abcdefgh");
  EXPECT_EQ(read_small_file(file_, 4).value(), "abcde");
  EXPECT_EQ(read_small_file(directory_, 4).error().code, ErrorCode::kInvalidArgument);
}

TEST_F(FileWatchTest, ReplacingKeepsTheModeAndLeavesNothingBehind) {
  write("old");
  fs::permissions(file_, fs::perms::owner_read | fs::perms::owner_write);
  EXPECT_TRUE(replace_file(file_, "new"));
  EXPECT_EQ(read_small_file(file_, 10).value(), "new");
  EXPECT_EQ(fs::status(file_).permissions(), fs::perms::owner_read | fs::perms::owner_write);
  EXPECT_EQ(std::distance(fs::directory_iterator(directory_), {}), 1);
}

}  // namespace
}  // namespace gondolin
