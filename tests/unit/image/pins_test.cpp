#include "image/pins.hpp"

#include <gmock/gmock.h>

#include "image/build_script.hpp"
#include "image/builder.hpp"
#include "image/files.hpp"
#include "temp_store.hpp"

namespace gondolin::image {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

const std::string kScript = sha256(as_bytes(kBuildScript));

class Pins : public StoreTest {
 protected:
  Pins() {
    for (const char* name : {"init", "sandboxd", "sandboxfs", "sandboxingress", "sandboxmounts"})
      write(directory_ / "guest" / name, name);
  }

  // An image that the store has.
  RootBuild pinned() const {
    const auto held = lock();
    return add_root(*make_recipe({"git"}, {}));
  }

  // A kernel with other options than those of today.
  KernelBuild add_old_kernel() const {
    const auto held = lock();
    return add_kernel("older options", "2026-11-23T22:10:00Z");
  }

  Result<Manifest> build(const RootBuild& pins,
                         const std::optional<KernelBuild>& kernel = {}) const {
    const Manifest manifest{
        .base = pins, .minimal_kernel = kernel, .guest = {}, .initramfs = {}, .created = {}};
    return build_image(store(), directory_ / "guest",
                       {.packages = {}, .mirrors = {}, .pins = manifest, .tag = "again:latest"},
                       {});
  }
};

TEST_F(Pins, OfAnImageThatIsThereAreThatImage) {
  const RootBuild pins = pinned();
  const auto image = build(pins);
  ASSERT_TRUE(image) << image.error().message;
  EXPECT_EQ(image->base.to_json(), pins.to_json());
  EXPECT_THAT(image->base.recipe.requested, testing::ElementsAre("git"));
}

TEST_F(Pins, OfAStockKernelKeepItWhereOursWouldBeTheDefault) {
  const RootBuild pins = pinned();
  {
    const auto held = lock();
    add_kernel(sha256(as_bytes(kKernelConfig)), "2026-11-23T22:10:00Z");
  }
  const auto image = build(pins);
  ASSERT_TRUE(image) << image.error().message;
  EXPECT_FALSE(image->minimal_kernel);
}

TEST_F(Pins, OfAKernelOfOursFindItByItsBytes) {
  const RootBuild pins = pinned();
  const KernelBuild kernel = add_old_kernel();
  const auto image = build(pins, kernel);
  ASSERT_TRUE(image) << image.error().message;
  EXPECT_EQ(image->kernel(), kernel.kernel);
}

TEST_F(Pins, OfAKernelThatComesOutDifferentlySayWhatItWasMadeOf) {
  const KernelBuild pinned = add_old_kernel();
  KernelBuild built = pinned;
  EXPECT_TRUE(check_kernel(pinned, built));
  built.kernel.sha256 = std::string(64, '7');
  built.recipe.compiler = "clang";
  EXPECT_THAT(check_kernel(pinned, built).error().message,
              AllOf(HasSubstr("linux-source-6.1 6.1.0-1 by clang"),
                    HasSubstr("linux-source-6.1 6.1.0-1 by gcc"), HasSubstr("777")));
}

TEST_F(Pins, ComeBackFromAManifestAsTheyWere) {
  const RootBuild pins = pinned();
  const auto read = RootBuild::parse(pins.to_json());
  ASSERT_TRUE(read) << read.error().message;
  EXPECT_EQ(read->package_sha256, pins.package_sha256);
  ASSERT_EQ(read->indexes.size(), 1U);
  EXPECT_EQ(read->indexes[0].date, "2026-11-20T10:00:00Z");
  EXPECT_EQ(read->indexes[0].sha256, pins.indexes[0].sha256);
  EXPECT_EQ(timestamp_of(pinned_epoch(*read)), "2026-11-20T10:00:00Z");
}

TEST_F(Pins, NameEveryPackageWithItsVersionToTheScript) {
  EXPECT_EQ(pin_lines(pinned()), "bash 5\ng++ 4:12.2.0-3\nlinux-image-6.1.0-0-test 6.1.1-1\n");
}

TEST_F(Pins, ThatAnotherBuildScriptMadeAreRefused) {
  EXPECT_TRUE(check_pins(pinned(), kScript));
  EXPECT_THAT(check_pins(pinned(), std::string(64, '0')).error().message,
              HasSubstr("built by another version of gondolin"));
}

TEST_F(Pins, OfAnImageWithoutHashesAreRefused) {
  RootBuild pins = pinned();
  pins.indexes.clear();
  EXPECT_THAT(check_pins(pins, kScript).error().message, HasSubstr("before the hashes"));
}

// A manifest is somebody's text, and what it names goes to programs that root runs.
TEST_F(Pins, ThatAreNoNamesVersionsAndAddressesAreRefused) {
  const auto refused = [&](auto change) {
    RootBuild pins = pinned();
    change(pins);
    const Status checked = check_pins(pins, kScript);
    return !checked && checked.error().code == ErrorCode::kInvalidArgument;
  };
  EXPECT_TRUE(
      refused([](RootBuild& p) { p.recipe.mirror = "http://a\ndeb [trusted=yes] http://b"; }));
  EXPECT_TRUE(refused([](RootBuild& p) { p.recipe.mirror = "http://a|e;id|"; }));
  EXPECT_TRUE(refused([](RootBuild& p) { p.recipe.mirror = "file:///etc"; }));
  EXPECT_TRUE(refused([](RootBuild& p) { p.recipe.security_mirror = ""; }));
  EXPECT_TRUE(refused([](RootBuild& p) { p.recipe.suite = "bookworm main"; }));
  EXPECT_TRUE(refused([](RootBuild& p) { p.recipe.kernel_package = "-o"; }));
  EXPECT_TRUE(refused([](RootBuild& p) { p.recipe.packages = {"bash,git"}; }));
  EXPECT_TRUE(refused([](RootBuild& p) { p.recipe.modules = {"*"}; }));
  EXPECT_TRUE(refused([](RootBuild& p) { p.packages = {"bash"}; }));
  EXPECT_TRUE(refused([](RootBuild& p) { p.packages = {"bash 5\nPin-Priority: 1"}; }));
}

TEST_F(Pins, ThatTheMirrorNoLongerHasAreNamedWithAMirrorThatMay) {
  const RootBuild pins = pinned();
  RootBuild now = pins;
  EXPECT_TRUE(check_packages(pins, now));
  now.packages = {"bash 6", "g++ 4:12.2.0-3", "gcc 12"};
  EXPECT_THAT(
      check_packages(pins, now).error().message,
      AllOf(HasSubstr("bash 5 (now 6)"), HasSubstr("linux-image-6.1.0-0-test 6.1.1-1 (not there)"),
            HasSubstr("gcc 12 (not pinned)"), Not(HasSubstr("g++")),
            HasSubstr("https://snapshot.debian.org/archive/debian/20261120T100000Z")));
}

TEST_F(Pins, AnotherFileOfThePinnedVersionIsTold) {
  const RootBuild pins = pinned();
  RootBuild now = pins;
  now.package_sha256["bash"] = std::string(64, 'd');
  EXPECT_THAT(check_packages(pins, now).error().message, HasSubstr("bash 5 (another file"));
}

TEST_F(Pins, OtherBytesOfTheSamePackagesAreTold) {
  const RootBuild pins = pinned();
  RootBuild now = pins;
  EXPECT_TRUE(check_outcome(pins, now));
  now.root.sha256 = std::string(64, 'e');
  EXPECT_THAT(check_outcome(pins, now).error().message,
              AllOf(HasSubstr("another root"), HasSubstr(now.root.sha256)));
}

}  // namespace
}  // namespace gondolin::image
