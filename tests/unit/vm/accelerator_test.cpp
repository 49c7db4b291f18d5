#include "vm/accelerator.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

#include <gtest/gtest.h>

namespace gondolin::vm {
namespace {

class Verdicts : public testing::Test {
 protected:
  void SetUp() override {
    std::string name = (std::filesystem::temp_directory_path() / "verdicts.XXXXXX").string();
    ASSERT_NE(::mkdtemp(name.data()), nullptr);
    folder_ = name;
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  std::filesystem::path folder_;
};

const KvmVerdict kBroken{KvmVerdict::Kind::kBroken, "it hung"};

TEST_F(Verdicts, AreRememberedInAPrivateFile) {
  auto file = folder_ / "gondolin" / "accel.json";
  ASSERT_TRUE(VerdictCache(file).store("this machine", kBroken));
  EXPECT_EQ(VerdictCache(file).load("this machine"), kBroken);
  struct stat status{};
  ASSERT_EQ(::stat(file.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0600U);
  ASSERT_EQ(::stat(file.parent_path().c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0700U);
}

TEST_F(Verdicts, OfAnotherMachineDoNotCount) {
  VerdictCache cache(folder_ / "accel.json");
  ASSERT_TRUE(cache.store("old kernel", kBroken));
  EXPECT_EQ(cache.load("new kernel"), std::nullopt);
}

TEST_F(Verdicts, ThatCannotBeReadAreNone) {
  auto file = folder_ / "accel.json";
  VerdictCache cache(file);
  EXPECT_EQ(cache.load("key"), std::nullopt);
  for (const char* text : {"", "{", "[]", "{\"key\":7}", "\xff\xfe"}) {
    std::ofstream(file) << text;
    EXPECT_EQ(cache.load("key"), std::nullopt) << text;
  }
}

TEST(KvmDevice, ThatIsNotThereIsAnError) {
  EXPECT_FALSE(check_kvm_device("/no/such/device"));
}

}  // namespace
}  // namespace gondolin::vm
