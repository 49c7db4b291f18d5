#include "image/builder.hpp"

#include <set>

#include <gmock/gmock.h>

#include "image/build_script.hpp"
#include "image/files.hpp"
#include "image/guest_programs.hpp"
#include "image/kernel_builder.hpp"
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

  [[nodiscard]] Result<Manifest> build(const std::string& tag = "default:latest",
                                       KernelChoice kernel = KernelChoice::kAuto) const {
    return build_image(store(), guest(),
                       {.packages = {}, .mirrors = {}, .tag = tag, .kernel = kernel}, {});
  }

  void add_standard_root() const {
    const auto held = lock();
    add_root(*make_recipe({}, {}));
  }

  // A kernel with the options of this program.
  [[nodiscard]] KernelBuild add_todays_kernel() const {
    const auto held = lock();
    return add_kernel(sha256(as_bytes(kKernelConfig)), "2026-11-23T22:10:00Z");
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

TEST_F(BuilderTest, AKernelThatWasBuiltBeforeIsTheDefaultAndWantsNoModules) {
  add_standard_root();
  const auto stock = build();
  ASSERT_TRUE(stock);
  EXPECT_FALSE(stock->minimal_kernel);
  const KernelBuild kernel = add_todays_kernel();
  const auto minimal = build();
  ASSERT_TRUE(minimal) << minimal.error().message;
  EXPECT_NE(minimal->id(), stock->id());
  EXPECT_NE(minimal->build_id(), stock->build_id());
  EXPECT_EQ(minimal->kernel(), kernel.kernel);
  EXPECT_EQ(minimal->kernel_release(), "6.1.0-gondolin");
  EXPECT_EQ(read_file(store().blob_path(minimal->initramfs)),
            module_segment({}) + guest_segment(*read_guest_programs(guest())));
  EXPECT_EQ(store().find("default"), minimal->id());
  EXPECT_EQ(Manifest::parse(minimal->to_json())->to_json(), minimal->to_json());
}

TEST_F(BuilderTest, TheStockKernelStaysAChoice) {
  add_standard_root();
  static_cast<void>(add_todays_kernel());
  const auto image = build("default:latest", KernelChoice::kStock);
  ASSERT_TRUE(image);
  EXPECT_FALSE(image->minimal_kernel);
  EXPECT_EQ(image->kernel(), image->base.kernel);
}

TEST_F(BuilderTest, AKernelWithOtherOptionsIsNotTheDefault) {
  add_standard_root();
  const auto held = lock();
  add_kernel("options of another version", "2026-11-23T22:10:00Z");
  EXPECT_FALSE(find_kernel(store())->has_value());
}

TEST_F(BuilderTest, AChangedDaemonKeepsTheKernel) {
  add_standard_root();
  const KernelBuild kernel = add_todays_kernel();
  const auto before = build();
  ASSERT_TRUE(before);
  write(guest() / "sandboxd", "a newer sandboxd");
  const auto after = refresh_image(store(), guest(), before->id(), {});
  ASSERT_TRUE(after) << after.error().message;
  EXPECT_NE(after->id(), before->id());
  EXPECT_EQ(after->kernel(), kernel.kernel);
}

TEST_F(BuilderTest, AKernelThatIsThereIsNotBuiltAgain) {
  const KernelBuild kernel = add_todays_kernel();
  const auto held = store().lock_kernels({}, {});  // a build would wait
  ASSERT_TRUE(held);
  const auto found = provide_kernel(store(), kernel.recipe, {}, [] { return true; });
  ASSERT_TRUE(found) << found.error().message;
  EXPECT_EQ(found->kernel, kernel.kernel);
}

TEST_F(BuilderTest, ASecondBuildOfAKernelWaitsAndCanBeInterrupted) {
  const auto held = store().lock_kernels({}, {});
  ASSERT_TRUE(held);
  std::vector<std::string> told;
  const auto build = provide_kernel(
      store(), {}, [&](ProgressKind, std::string_view text) { told.emplace_back(text); },
      [] { return true; });
  EXPECT_EQ(build.error().code, ErrorCode::kCancelled);
  EXPECT_THAT(told, ElementsAre("Waiting for another build of a kernel"));
}

TEST_F(BuilderTest, AnInterruptedBuildOfAKernelLeavesNothing) {
  const auto build = provide_kernel(store(), {}, {}, [] { return true; });
  EXPECT_EQ(build.error().code, ErrorCode::kCancelled);
  EXPECT_FALSE(std::filesystem::exists(directory_ / "store/kernel-work/work"));
  EXPECT_THAT(*store().kernels(), IsEmpty());
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

TEST(KernelRecipe, EveryInputChangesTheKey) {
  const KernelRecipe plain{"linux-source-6.1", "6.1.0-1", "gcc", "c", "s"};
  std::set<std::string> keys{plain.key()};
  for (std::string KernelRecipe::* input :
       {&KernelRecipe::source, &KernelRecipe::version, &KernelRecipe::compiler,
        &KernelRecipe::config_sha256, &KernelRecipe::script_sha256}) {
    KernelRecipe other = plain;
    other.*input += "1";
    EXPECT_TRUE(keys.insert(other.key()).second);
  }
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
