#include "api/mounts.hpp"

#include <memory>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "gondolin/error.hpp"

namespace gondolin::api {
namespace {

std::vector<VfsMount> at(const std::vector<std::string>& paths) {
  std::vector<VfsMount> mounts;
  for (const std::string& path : paths)
    mounts.push_back({.path = path, .provider = std::make_shared<MemoryProvider>()});
  return mounts;
}

std::vector<std::string> checked_paths(const std::vector<std::string>& paths) {
  std::vector<std::string> result;
  for (const VfsMount& mount : checked_mounts(at(paths)))
    result.push_back(mount.path);
  return result;
}

TEST(Mounts, PathsHaveOneFormAndParentsComeFirst) {
  EXPECT_THAT(checked_paths({"/b/c/d", "//b///c/", "/a", "/b/"}),
              testing::ElementsAre("/a", "/b", "/b/c", "/b/c/d"));
}

TEST(Mounts, WhatCannotBeMountedIsRefused) {
  for (const std::string& path : {std::string(""), std::string("a"), std::string("/"),
                                  std::string("//"), std::string("/a/../b"), std::string("/./a"),
                                  std::string("/a\0b", 4), "/" + std::string(4095, 'x')}) {
    EXPECT_THROW(checked_paths({path}), ApiError) << path;
  }
  EXPECT_THROW(checked_paths({"/a", "/a/"}), ApiError);
  EXPECT_THROW(static_cast<void>(checked_mounts({{.path = "/a"}})), ApiError);
  for (auto change : {+[](VfsMount& mount) { mount.max_open_files = 0; },
                      +[](VfsMount& mount) { mount.max_names = 0; },
                      +[](VfsMount& mount) { mount.max_names = 10'000'001; },
                      +[](VfsMount& mount) { mount.cache_validity = std::chrono::seconds(-1); }}) {
    auto mounts = at({"/a"});
    change(mounts[0]);
    EXPECT_THROW(static_cast<void>(checked_mounts(std::move(mounts))), ApiError);
  }
}

TEST(Mounts, KnowsWhatCoversTheConfiguration) {
  for (const char* path : {"/etc", "/etc/gondolin", "/etc/gondolin/x"})
    EXPECT_EQ(covers_config(at({"/work", path})), path);
  for (const char* path : {"/etc/gondolin2", "/etc/gond", "/et", "/work/etc/gondolin"})
    EXPECT_EQ(covers_config(at({path})), std::nullopt);
}

}  // namespace
}  // namespace gondolin::api
