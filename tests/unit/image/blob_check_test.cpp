#include "image/blob_check.hpp"

#include <fcntl.h>
#include <sys/stat.h>

#include <chrono>

#include <gmock/gmock.h>

#include "image/files.hpp"
#include "temp_store.hpp"

namespace gondolin::image {
namespace {

using testing::HasSubstr;

class BlobCheck : public StoreTest {
 protected:
  BlobCheck() { write(blob(), "content"); }

  [[nodiscard]] std::filesystem::path blob() const { return directory_ / "blob"; }
  [[nodiscard]] std::filesystem::path record() const { return directory_ / "record"; }
  [[nodiscard]] Digest digest() const { return {sha256(as_bytes("content")), 7}; }
  [[nodiscard]] Status check() const { return check_blob(blob(), digest(), record()); }

  // A record is made when the file has been left alone for a moment.
  void check_until_recorded() const {
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(10);
    while (!std::filesystem::exists(record()) && std::chrono::steady_clock::now() < end)
      ASSERT_TRUE(check());
    ASSERT_TRUE(std::filesystem::exists(record()));
  }
};

TEST_F(BlobCheck, AFileThatIsStillNewIsSoundAndLeavesNoRecord) {
  EXPECT_TRUE(check());
  EXPECT_FALSE(std::filesystem::exists(record())) << "a change in this tick would not show";
}

TEST_F(BlobCheck, ARecordSparesTheHash) {
  check_until_recorded();
  // Another digest is believed as well, for nobody reads the file.
  EXPECT_TRUE(check_blob(blob(), {std::string(64, '0'), 7}, record()));
}

TEST_F(BlobCheck, AChangeOfTheSameLengthIsFoundThoughTheTimeOfModificationIsPutBack) {
  check_until_recorded();
  struct stat state{};
  ASSERT_EQ(::stat(blob().c_str(), &state), 0);
  write(blob(), "c0ntent");
  const timespec times[] = {state.st_atim, state.st_mtim};
  ASSERT_EQ(::utimensat(AT_FDCWD, blob().c_str(), times, 0), 0);
  EXPECT_THAT(check().error().message, HasSubstr("is not what it was"));
}

TEST_F(BlobCheck, AnotherFileInItsPlaceIsFound) {
  check_until_recorded();
  write(directory_ / "other", "c0ntent");
  std::filesystem::rename(directory_ / "other", blob());
  EXPECT_FALSE(check());
}

TEST_F(BlobCheck, ATouchedFileIsHashedAgainAndIsSound) {
  check_until_recorded();
  ASSERT_EQ(::chmod(blob().c_str(), 0640), 0);
  EXPECT_TRUE(check());
  EXPECT_FALSE(check_blob(blob(), {std::string(64, '0'), 7}, record()));
}

TEST_F(BlobCheck, WithoutAPlaceForRecordsItHashesEveryTime) {
  const std::filesystem::path nowhere = "/proc/1/no/record";
  EXPECT_TRUE(check_blob(blob(), digest(), nowhere));
  write(blob(), "c0ntent");
  EXPECT_FALSE(check_blob(blob(), digest(), nowhere));
}

TEST_F(BlobCheck, AMissingFileIsAnError) {
  std::filesystem::remove(blob());
  EXPECT_EQ(check().error().code, ErrorCode::kIo);
}

TEST_F(BlobCheck, AnImageWithAChangedRootNamesItAndWhatToDo) {
  const auto held = lock();
  const Manifest image = add_image("a:latest", "root");
  EXPECT_TRUE(store().check_image(image));
  write(store().blob_path(image.base.root), "rooT");
  EXPECT_THAT(store().check_image(image).error().message,
              testing::AllOf(HasSubstr("is damaged: its root, blob " + image.base.root.sha256),
                             HasSubstr("gondolin image build --update")));
}

}  // namespace
}  // namespace gondolin::image
