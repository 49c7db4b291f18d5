#include "vm/accelerator.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <fstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support.hpp"

namespace gondolin::vm {
namespace {

using testing::HasSubstr;

const KvmVerdict kWorks{KvmVerdict::Kind::kWorks, {}};
const KvmVerdict kBroken{KvmVerdict::Kind::kBroken, "QEMU was killed by signal 6 (Aborted)"};

unsigned mode_of(const std::filesystem::path& path) {
  struct stat status{};
  EXPECT_EQ(::stat(path.c_str(), &status), 0);
  return status.st_mode & 07777;
}

TEST(VerdictCache, RemembersUnderItsKey) {
  TemporaryDirectory directory;
  VerdictCache cache(directory.path() / "gondolin" / "accel.json");
  EXPECT_EQ(cache.load("a"), std::nullopt);
  ASSERT_TRUE(cache.store("a", kBroken));
  EXPECT_EQ(cache.load("a"), kBroken);
  EXPECT_EQ(cache.load("b"), std::nullopt);
}

TEST(VerdictCache, KeepsTheLatest) {
  TemporaryDirectory directory;
  VerdictCache cache(directory.path() / "accel.json");
  ASSERT_TRUE(cache.store("a", kBroken));
  ASSERT_TRUE(cache.store("a", kWorks));
  EXPECT_EQ(cache.load("a"), kWorks);
}

TEST(VerdictCache, IsPrivateToTheUserAndLeavesNothingBesides) {
  TemporaryDirectory directory;
  auto parent = directory.path() / "cache" / "gondolin";
  ASSERT_TRUE(VerdictCache(parent / "accel.json").store("a", kWorks));
  EXPECT_EQ(mode_of(parent), 0700U);
  EXPECT_EQ(mode_of(parent / "accel.json"), 0600U);
  auto files = std::filesystem::directory_iterator(parent);
  EXPECT_EQ(std::distance(begin(files), end(files)), 1);
}

TEST(VerdictCache, TakesADamagedFileForNone) {
  TemporaryDirectory directory;
  auto file = directory.path() / "accel.json";
  for (const char* content : {"", "{", "[]", "{\"key\": 7}", "{\"key\": \"a\", \"kvm\": 1}",
                              "{\"key\": \"a\", \"kvm\": \"maybe\"}"}) {
    std::ofstream(file) << content;
    EXPECT_EQ(VerdictCache(file).load("a"), std::nullopt) << content;
  }
}

TEST(VerdictCache, SaysWhyItCannotBeWritten) {
  VerdictCache cache("/proc/gondolin/accel.json");
  auto stored = cache.store("a", kWorks);
  ASSERT_FALSE(stored);
  EXPECT_THAT(stored.error().message, HasSubstr("/proc/gondolin"));
}

TEST(VerdictCache, LivesInTheCacheDirectoryOfTheUser) {
  ScopedEnvironment home("HOME", "/home/u");
  {
    ScopedEnvironment cache("XDG_CACHE_HOME", "/cache");
    EXPECT_EQ(VerdictCache::default_file(), "/cache/gondolin/accel.json");
  }
  ScopedEnvironment cache("XDG_CACHE_HOME", nullptr);
  EXPECT_EQ(VerdictCache::default_file(), "/home/u/.cache/gondolin/accel.json");
  ScopedEnvironment nowhere("HOME", nullptr);
  EXPECT_EQ(VerdictCache::default_file(), std::nullopt);
}

TEST(KvmDevice, SaysWhatToDoWhenItIsMissing) {
  auto checked = check_kvm_device("/dev/no-such-kvm");
  ASSERT_FALSE(checked);
  EXPECT_EQ(checked.error().code, ErrorCode::kUnavailable);
  EXPECT_THAT(checked.error().message, HasSubstr("/dev/no-such-kvm does not exist"));
}

TEST(KvmDevice, IsNotJustAnyDevice) {
  auto checked = check_kvm_device("/dev/null");
  ASSERT_FALSE(checked);
  EXPECT_THAT(checked.error().message, HasSubstr("does not speak the KVM API"));
}

TEST(VerdictKey, ChangesWithTheQemuBinary) {
  TemporaryDirectory directory;
  auto qemu = directory.path() / "qemu";
  std::ofstream(qemu) << "one";
  std::string before = verdict_key(qemu);
  EXPECT_EQ(verdict_key(qemu), before);
  std::ofstream(qemu) << "another";
  EXPECT_NE(verdict_key(qemu), before);
}

}  // namespace
}  // namespace gondolin::vm
