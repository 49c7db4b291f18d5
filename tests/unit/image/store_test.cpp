#include "image/store.hpp"

#include <sys/stat.h>

#include <gmock/gmock.h>

#include "image/files.hpp"
#include "temp_store.hpp"

namespace gondolin::image {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;
using testing::UnorderedElementsAre;

TEST_F(StoreTest, AStoreThatDoesNotExistHoldsNothing) {
  EXPECT_THAT(*store().ids(), IsEmpty());
  EXPECT_THAT(*store().tags(), IsEmpty());
  EXPECT_EQ(store().find("default").error().code, ErrorCode::kNotFound);
}

TEST_F(StoreTest, EverythingInItIsPrivate) {
  const auto held = lock();
  add_image("a:latest", "x");
  for (const auto& entry : std::filesystem::recursive_directory_iterator(directory_ / "store")) {
    struct stat information{};
    ASSERT_EQ(::stat(entry.path().c_str(), &information), 0);
    EXPECT_EQ(information.st_mode & 0777U, entry.is_directory() ? 0700U : 0600U) << entry.path();
  }
}

TEST_F(StoreTest, AnImageIsFoundByTagAndByTheBeginningOfItsId) {
  const auto held = lock();
  const std::string id = add_image("a:latest", "x").id();
  EXPECT_EQ(store().find("a"), id);
  EXPECT_EQ(store().find("a:latest"), id);
  EXPECT_EQ(store().find(id), id);
  EXPECT_EQ(store().find(id.substr(0, 6)), id);
  EXPECT_FALSE(store().find(id.substr(0, 5)));
  EXPECT_FALSE(store().find("a:other"));
}

TEST_F(StoreTest, ABeginningThatSeveralIdsShareIsRefused) {
  const auto held = lock();
  write(directory_ / "store/images/abcdef01.json", "");
  write(directory_ / "store/images/abcdef02.json", "");
  EXPECT_EQ(store().find("abcdef").error().code, ErrorCode::kInvalidArgument);
  EXPECT_EQ(store().find("abcdef01"), "abcdef01");
}

TEST_F(StoreTest, AManifestComesBackAsItWasPut) {
  const auto held = lock();
  const Manifest manifest = add_image("a:latest", "x");
  const auto read = store().read_manifest(manifest.id());
  ASSERT_TRUE(read) << read.error().message;
  EXPECT_EQ(read->to_json(), manifest.to_json());
}

TEST_F(StoreTest, AnImageWithAMissingBlobIsNotHandedOut) {
  const auto held = lock();
  const Manifest manifest = add_image("a:latest", "x");
  std::filesystem::remove(store().blob_path(manifest.base.root));
  EXPECT_THAT(store().read_manifest(manifest.id()).error().message,
              testing::HasSubstr("its root, blob " + manifest.base.root.sha256 + ", is missing"));
}

TEST_F(StoreTest, CollectionKeepsWhatTagsReachAndRemovesTheRest) {
  const auto held = lock();
  const Manifest kept = add_image("kept:latest", "x");
  const Manifest dropped = add_image("dropped:latest", "four");
  ASSERT_TRUE(store().remove_tag("dropped:latest"));
  age(dropped);
  const auto freed = store().collect_garbage();
  ASSERT_TRUE(freed);
  EXPECT_GE(*freed, 4U);
  EXPECT_TRUE(store().read_manifest(kept.id()));
  EXPECT_TRUE(store().find_root(kept.base.recipe));
  EXPECT_FALSE(store().read_manifest(dropped.id()));
  EXPECT_FALSE(store().find_root(dropped.base.recipe));
  EXPECT_FALSE(store().has_blob(dropped.base.root));
  EXPECT_TRUE(store().has_blob(dropped.base.kernel)) << "shared with the image that is kept";
}

TEST_F(StoreTest, CollectionKeepsTheNewestKernelAndThoseOfImages) {
  const auto held = lock();
  const KernelBuild used = add_kernel("a", "2026-11-21T00:00:00Z");
  const KernelBuild unused = add_kernel("b", "2026-11-22T00:00:00Z");
  const KernelBuild newest = add_kernel("c", "2026-11-23T00:00:00Z");
  Manifest image = add_image("a:latest", "x");
  image.minimal_kernel = used;
  ASSERT_TRUE(store().put_manifest(image));
  ASSERT_TRUE(store().set_tag("a:latest", image.id()));
  ASSERT_TRUE(store().collect_garbage());
  std::vector<std::string> left;
  const auto kernels = store().kernels();
  ASSERT_TRUE(kernels);
  for (const KernelBuild& each : *kernels)
    left.push_back(each.created);
  EXPECT_THAT(left, ElementsAre(newest.created, used.created));
  EXPECT_FALSE(store().has_blob(unused.kernel));
  EXPECT_TRUE(store().read_manifest(image.id()));
}

TEST_F(StoreTest, AKernelWithoutItsBlobIsNotThere) {
  const auto held = lock();
  const KernelBuild kernel = add_kernel("a", "2026-11-21T00:00:00Z");
  std::filesystem::remove(store().blob_path(kernel.kernel));
  EXPECT_THAT(*store().kernels(), IsEmpty());
}

TEST_F(StoreTest, AnImageThatSomebodyMayBeStartingFromIsKeptForAWhile) {
  const auto held = lock();
  const Manifest image = add_image("moved:latest", "x");
  age(image);
  store().mark_used(image.id());
  ASSERT_TRUE(store().remove_tag("moved:latest"));
  ASSERT_TRUE(store().collect_garbage());
  EXPECT_TRUE(store().read_manifest(image.id()));
}

TEST_F(StoreTest, AnImageThatIsRemovedGoesAtOnceWithItsTags) {
  const auto held = lock();
  const Manifest image = add_image("a:latest", "x");
  ASSERT_TRUE(store().set_tag("b:latest", image.id()));
  ASSERT_TRUE(store().remove_image(image.id()));
  ASSERT_TRUE(store().collect_garbage());
  EXPECT_THAT(*store().tags(), IsEmpty());
  EXPECT_THAT(*store().ids(), IsEmpty());
  EXPECT_FALSE(store().has_blob(image.base.root));
}

TEST_F(StoreTest, WhatAKilledWriterLeftIsNeverRead) {
  const auto held = lock();
  const std::string id = add_image("a:latest", "x").id();
  write(directory_ / "store/refs/.a:latest", "half");
  write(directory_ / "store/images/.half", "{");
  write(directory_ / "store/blobs/half", "x");
  write(directory_ / "store/tmp/work/root.erofs", "half");
  EXPECT_EQ(store().find("a"), id);
  EXPECT_THAT(*store().tags(), SizeIs(1));
  EXPECT_THAT(*store().ids(), ElementsAre(id));
  ASSERT_TRUE(store().collect_garbage());
  ASSERT_TRUE(store().clear_work_directory());
  EXPECT_FALSE(std::filesystem::exists(directory_ / "store/images/.half"));
  EXPECT_FALSE(std::filesystem::exists(directory_ / "store/blobs/half"));
  EXPECT_FALSE(std::filesystem::exists(directory_ / "store/tmp/work"));
  ASSERT_TRUE(store().set_tag("a:latest", id));
  EXPECT_EQ(store().find("a"), id);
}

TEST_F(StoreTest, OnlyOneHoldsTheLockAndTheOtherIsToldOnce) {
  const auto held = lock();
  int told = 0;
  int asked = 0;
  const auto second = store().lock([&] { ++told; }, [&] { return ++asked == 2; });
  EXPECT_EQ(second.error().code, ErrorCode::kCancelled);
  EXPECT_EQ(told, 1);
}

TEST_F(StoreTest, TheLockEndsWithItsObject) {
  {
    const auto held = lock();
  }
  EXPECT_TRUE(store().lock([] { FAIL() << "waited"; }, {}));
}

TEST(Files, ReplacingAFileLeavesNothingBesideIt) {
  std::string pattern = testing::TempDir() + "gondolin-files-XXXXXX";
  const std::filesystem::path directory = ::mkdtemp(pattern.data());
  ASSERT_TRUE(replace_file(directory / "f", "one"));
  ASSERT_TRUE(replace_file(directory / "f", "two"));
  EXPECT_EQ(read_file(directory / "f"), "two");
  EXPECT_FALSE(create_file(directory / "f", "three"));
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(directory))
    names.push_back(entry.path().filename());
  EXPECT_THAT(names, UnorderedElementsAre("f"));
  EXPECT_TRUE(remove_tree(directory));
  EXPECT_TRUE(remove_tree(directory)) << "nothing to remove is fine";
}

}  // namespace
}  // namespace gondolin::image
