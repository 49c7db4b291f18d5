// `gondolin image build` in an empty store, interrupted and twice at once.

#include <signal.h>

#include <cstdlib>
#include <filesystem>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support/command.hpp"

namespace gondolin::test {
namespace {

namespace fs = std::filesystem;

class EmptyStore : public testing::Test {
 protected:
  void SetUp() override {
    std::string name = (fs::temp_directory_path() / "gondolin-store-XXXXXX").string();
    ASSERT_NE(::mkdtemp(name.data()), nullptr);
    path_ = name;
  }
  void TearDown() override { fs::remove_all(path_); }

  // The store's files of any size, without its locks and empty directories.
  [[nodiscard]] std::vector<std::string> contents() const {
    std::vector<std::string> names;
    for (const auto& entry : fs::recursive_directory_iterator(path_)) {
      if (entry.is_regular_file() && entry.file_size() > 0) names.push_back(entry.path());
    }
    return names;
  }

  [[nodiscard]] std::size_t number_of(const char* directory) const {
    return static_cast<std::size_t>(
        std::distance(fs::directory_iterator(path_ / directory), fs::directory_iterator()));
  }

  fs::path path_;
};

TEST_F(EmptyStore, InterruptedBuildExitsWith130AndLeavesNothingHalfMade) {
  BackgroundCommand build(
      {"env", "GONDOLIN_IMAGE_STORE=" + path_.string(), GONDOLIN_PROGRAM, "image", "build"});
  build.wait_for_errors("\n");
  build.kill(SIGINT);
  EXPECT_EQ(build.wait(), 128 + SIGINT);
  EXPECT_THAT(contents(), testing::IsEmpty());
}

TEST_F(EmptyStore, InterruptedBuildOfAKernelLeavesNothingHalfMadeEither) {
  BackgroundCommand build({"env", "GONDOLIN_IMAGE_STORE=" + path_.string(), GONDOLIN_PROGRAM,
                           "image", "build", "--kernel", "minimal"});
  build.wait_for_errors("Unpacking the kernel's source");
  build.kill(SIGINT);
  EXPECT_EQ(build.wait(), 128 + SIGINT);
  EXPECT_THAT(contents(), testing::IsEmpty());
  EXPECT_FALSE(fs::exists(path_ / "kernel-work" / "work"));
}

TEST_F(EmptyStore, TwoBuildsAtOnceMakeTheImageOnce) {
  std::vector<std::string> build{"env", "GONDOLIN_IMAGE_STORE=" + path_.string(), GONDOLIN_PROGRAM,
                                 "image", "build"};
  BackgroundCommand first(build);
  first.wait_for_errors("\n");
  build.insert(build.end(), {"--tag", "second"});
  BackgroundCommand second(build);
  second.wait_for_errors("Waiting for another build");
  EXPECT_EQ(first.wait(), 0);
  EXPECT_EQ(second.wait(), 0);
  EXPECT_EQ(number_of("roots"), 1U);
  EXPECT_EQ(number_of("images"), 1U);
  EXPECT_EQ(number_of("refs"), 2U) << "default:latest and second:latest";
  EXPECT_EQ(number_of("tmp"), 0U);
}

}  // namespace
}  // namespace gondolin::test
