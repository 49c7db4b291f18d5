// A directory for one test, and an image's slow half made up, so that tests need
// neither mmdebstrap nor the network.
#pragma once

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>

#include <gtest/gtest.h>

#include "image/root_builder.hpp"
#include "image/store.hpp"

namespace gondolin::image {

class StoreTest : public testing::Test {
 protected:
  StoreTest() {
    std::string pattern = testing::TempDir() + "gondolin-image-XXXXXX";
    directory_ = ::mkdtemp(pattern.data());
  }
  ~StoreTest() override { std::filesystem::remove_all(directory_); }

  [[nodiscard]] Store store() const { return Store(directory_ / "store"); }

  [[nodiscard]] StoreLock lock() const {
    auto lock = store().lock({}, {});
    EXPECT_TRUE(lock);
    return std::move(*lock);
  }

  void write(const std::filesystem::path& path, std::string_view content) const {
    std::filesystem::create_directories(path.parent_path());
    std::ofstream(path, std::ios::binary) << content;
  }

  [[nodiscard]] Digest add_blob(std::string_view content) const {
    const auto file = directory_ / "blob";
    write(file, content);
    auto digest = store().add_blob(file);
    EXPECT_TRUE(digest);
    return *digest;
  }

  // Records what `recipe` gave, with `content` in its root file system.
  RootBuild add_root(const Recipe& recipe, std::string_view content = "root") const {
    const RootBuild build{
        .recipe = recipe,
        .kernel = add_blob("kernel"),
        .modules = add_blob("modules!"),
        .root = add_blob(content),
        .kernel_release = "6.1.0-0-test",
        .packages = {"bash 5", "g++ 4:12.2.0-3", "linux-image-6.1.0-0-test 6.1.1-1"},
        .package_sha256 = {{"bash", std::string(64, 'b')}},
        .indexes = {{.name = "deb.debian.org_debian_dists_bookworm_InRelease",
                     .date = "2026-11-20T10:00:00Z",
                     .sha256 = std::string(64, 'c')}},
        .created = "2026-11-23T22:10:00Z"};
    EXPECT_TRUE(store().put_root(build));
    return build;
  }

  // A kernel of ours with the options of `config`, named by its digest.
  KernelBuild add_kernel(const std::string& config, const std::string& created) const {
    const KernelBuild build{.recipe = {.source = "linux-source-6.1",
                                       .version = "6.1.0-1",
                                       .compiler = "gcc",
                                       .config_sha256 = config,
                                       .script_sha256 = "s"},
                            .kernel = add_blob("kernel of " + created),
                            .release = "6.1.0-gondolin",
                            .created = created};
    EXPECT_TRUE(store().put_kernel(build));
    return build;
  }

  Manifest add_image(const std::string& tag, std::string_view content) const {
    Recipe recipe;
    recipe.suite = tag;
    const Manifest manifest{.base = add_root(recipe, content),
                            .minimal_kernel = {},
                            .guest = {{"init", "0"}},
                            .initramfs = add_blob("initramfs"),
                            .created = "2026-11-23T22:10:00Z"};
    EXPECT_TRUE(store().put_manifest(manifest));
    EXPECT_TRUE(store().set_tag(tag, manifest.id()));
    return manifest;
  }

  // As if the image was last used long ago.
  void age(const Manifest& image) const {
    std::filesystem::last_write_time(
        store().manifest_path(image.id()),
        std::filesystem::file_time_type::clock::now() - 2 * Store::kGrace);
  }

  std::filesystem::path directory_;
};

}  // namespace gondolin::image
