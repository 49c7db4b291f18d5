// `gondolin doctor` on machines that have less and less.

#include <filesystem>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support/command.hpp"

namespace gondolin::test {
namespace {

using testing::ContainsRegex;
using testing::Not;

class Doctor : public testing::Test {
 protected:
  Doctor() {
    std::string path = (std::filesystem::temp_directory_path() / "gondolin-XXXXXX").string();
    EXPECT_NE(::mkdtemp(path.data()), nullptr);
    directory_ = path;
  }
  ~Doctor() override { std::filesystem::remove_all(directory_); }

  // In an empty cache of its own.
  CommandResult doctor(const std::vector<std::string>& settings) {
    std::vector<std::string> argv{"env", "XDG_CACHE_HOME=" + directory_.string(),
                                  "GONDOLIN_IMAGE_STORE=" + (directory_ / "images").string()};
    argv.insert(argv.end(), settings.begin(), settings.end());
    argv.insert(argv.end(), {GONDOLIN_PROGRAM, "doctor"});
    return run(argv);
  }

  std::filesystem::path directory_;
};

TEST_F(Doctor, NamesWhatIsThere) {
  CommandResult result = doctor({});
  EXPECT_EQ(result.status, 0) << result.output << result.errors;
  EXPECT_THAT(result.output, ContainsRegex("ok +QEMU +/.*version [0-9]"));
  EXPECT_THAT(result.output, ContainsRegex("(ok|weaker) +KVM "));
  EXPECT_THAT(result.output, ContainsRegex("ok +image +none yet; the first VM builds it"));
  EXPECT_THAT(result.output, ContainsRegex("user namespaces "));
  EXPECT_THAT(result.output, Not(ContainsRegex("MISSING")));
  EXPECT_FALSE(std::filesystem::exists(directory_ / "images")) << "looking changes nothing";
}

TEST_F(Doctor, ExitsWith1WithoutQemu) {
  CommandResult result = doctor({"GONDOLIN_QEMU=/nonexistent/qemu"});
  EXPECT_EQ(result.status, 1);
  EXPECT_THAT(result.output, ContainsRegex("MISSING +QEMU +GONDOLIN_QEMU names"));
}

TEST_F(Doctor, SaysWhenConfinementIsOff) {
  EXPECT_THAT(doctor({"GONDOLIN_CONFINE=off"}).output, ContainsRegex("weaker +confinement +off"));
}

TEST_F(Doctor, FailsWhenItsOutputCannotBeWritten) {
  CommandResult result = run({"sh", "-c", std::string(GONDOLIN_PROGRAM) + " doctor > /dev/full"});
  EXPECT_EQ(result.status, 1);
  EXPECT_THAT(result.errors, ContainsRegex("cannot write the output"));
}

}  // namespace
}  // namespace gondolin::test
