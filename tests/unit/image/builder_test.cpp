#include "image/builder.hpp"

#include <gmock/gmock.h>

#include "image/files.hpp"
#include "image/guest_programs.hpp"
#include "temp_store.hpp"

namespace gondolin::image {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

class BuilderTest : public StoreTest {
 protected:
  BuilderTest() {
    for (const char* name : {"init", "sandboxd", "sandboxfs", "sandboxingress", "sandboxmounts"})
      write(guest() / name, name);
  }

  [[nodiscard]] std::filesystem::path guest() const { return directory_ / "guest"; }

  [[nodiscard]] Result<Manifest> build(const std::string& tag = "default:latest") const {
    return build_image(store(), guest(), {.packages = {}, .mirrors = {}, .tag = tag}, {});
  }

  void add_standard_root() const {
    const auto held = lock();
    add_root(*make_recipe({}, {}));
  }
};

TEST_F(BuilderTest, ARootThatIsThereIsNotBuiltAgain) {
  add_standard_root();
  const auto manifest = build();
  ASSERT_TRUE(manifest) << manifest.error().message;
  EXPECT_EQ(store().find("default"), manifest->id());
  EXPECT_EQ(read_file(store().blob_path(manifest->initramfs)),
            "modules!" + guest_segment(*read_guest_programs(guest())));
}

TEST_F(BuilderTest, TheSameInputsGiveTheSameImageWithoutAnyWork) {
  add_standard_root();
  const auto first = build();
  ASSERT_TRUE(first);
  const auto held = lock();  // a second build that wanted to change something would wait
  const auto second = build();
  ASSERT_TRUE(second);
  EXPECT_EQ(first->to_json(), second->to_json());
}

TEST_F(BuilderTest, AChangedDaemonMakesANewInitramfsAndMovesEveryTag) {
  add_standard_root();
  const auto before = build();
  ASSERT_TRUE(before);
  ASSERT_TRUE(build("other:1"));
  write(guest() / "sandboxd", "a newer sandboxd");
  const auto after = refresh_image(store(), guest(), before->id(), {});
  ASSERT_TRUE(after) << after.error().message;
  EXPECT_NE(after->id(), before->id());
  EXPECT_NE(after->build_id(), before->build_id());
  EXPECT_EQ(after->base.root, before->base.root);
  EXPECT_EQ(store().find("default"), after->id());
  EXPECT_EQ(store().find("other:1"), after->id());
  age(*before);
  ASSERT_TRUE(store().collect_garbage());
  EXPECT_FALSE(store().read_manifest(before->id())) << "nothing names it any more";
}

TEST_F(BuilderTest, AnImageWithTheProgramsOfTodayIsLeftAsItIs) {
  add_standard_root();
  const auto image = build();
  ASSERT_TRUE(image);
  const auto held = lock();
  EXPECT_EQ(refresh_image(store(), guest(), image->id(), {})->id(), image->id());
}

TEST_F(BuilderTest, AMissingGuestProgramIsNamed) {
  std::filesystem::remove(guest() / "sandboxfs");
  EXPECT_THAT(build().error().message,
              HasSubstr("the guest program sandboxfs is not in " + guest().string()));
}

TEST_F(BuilderTest, VerifyNamesTheBlobThatChanged) {
  add_standard_root();
  const auto image = build();
  ASSERT_TRUE(image);
  EXPECT_THAT(*verify_images(store(), {image->id()}), IsEmpty());
  write(store().blob_path(image->base.root), "rooT");
  const auto problems = verify_images(store(), {image->id()});
  ASSERT_TRUE(problems);
  ASSERT_EQ(problems->size(), 1U);
  EXPECT_THAT(problems->front().text, HasSubstr("root " + image->base.root.sha256));
}

TEST(Recipe, PackagesAreASet) {
  const auto a = make_recipe({"git", "jq", "git"}, {});
  const auto b = make_recipe({"jq", "git"}, {});
  ASSERT_TRUE(a && b);
  EXPECT_EQ(a->key(), b->key());
  EXPECT_THAT(a->requested, ElementsAre("git", "jq"));
}

TEST(Recipe, WhatIsInstalledAnywayChangesNothing) {
  EXPECT_EQ(make_recipe({"curl"}, {})->key(), make_recipe({}, {})->key());
}

TEST(Recipe, EveryInputChangesTheKey) {
  const Recipe plain = *make_recipe({}, {});
  EXPECT_NE(make_recipe({"git"}, {})->key(), plain.key());
  EXPECT_NE(make_recipe({}, {.debian = "http://mirror.example/debian"})->key(), plain.key());
  Recipe other = plain;
  other.script_sha256 = "0";
  EXPECT_NE(other.key(), plain.key());
}

TEST(Recipe, NamesThatAptWouldReadAsSomethingElseAreRefused) {
  for (const char* name : {"", "a", "-o", "git,jq", "git jq", "git=1", "Git", "~nfoo", "./x.deb"})
    EXPECT_EQ(make_recipe({name}, {}).error().code, ErrorCode::kInvalidArgument) << name;
  EXPECT_TRUE(make_recipe({"g++", "libc6-dev", "python3.11"}, {}));
}

TEST(Manifest, ADamagedTextIsAnErrorAndNotAnException) {
  for (const char* text :
       {"", "{", "[]", "{\"format\": 1}", "{\"format\": 2}", "{\"format\": \"x\"}"})
    EXPECT_EQ(Manifest::parse(text).error().code, ErrorCode::kProtocol) << text;
}

TEST(Manifest, AnIdThatDoesNotFitTheContentIsAnError) {
  Manifest manifest;
  manifest.initramfs = {"bb", 2};
  std::string json = manifest.to_json();
  ASSERT_TRUE(Manifest::parse(json));
  json.replace(json.find("\"bb\""), 4, "\"bc\"");
  EXPECT_THAT(Manifest::parse(json).error().message, HasSubstr("id does not fit"));
}

}  // namespace
}  // namespace gondolin::image
