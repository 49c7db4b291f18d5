#include "vm/qemu_command.hpp"

#include <algorithm>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace gondolin::vm {
namespace {

using testing::Contains;
using testing::HasSubstr;
using testing::Not;

MachineOptions machine(Accelerator accelerator) {
  return {.kernel = "/i/kernel",
          .initramfs = "/i/initramfs",
          .root = "/i/a,b",
          .memory_mib = 512,
          .cpus = 3,
          .accelerator = accelerator,
          .tsc_khz = 2'500'000};
}

// The argument behind `option`.
std::string value_of(const std::vector<std::string>& arguments, const std::string& option) {
  auto found = std::find(arguments.begin(), arguments.end(), option);
  return found == arguments.end() || found + 1 == arguments.end() ? "" : *(found + 1);
}

TEST(QemuCommand, HasNoNetworkDeviceNoDefaultsAndTheSeccompSandboxOn) {
  auto arguments = qemu_arguments(machine(Accelerator::kTcg));
  EXPECT_THAT(arguments, Contains("-nodefaults"));
  EXPECT_THAT(arguments, Contains("-no-user-config"));
  EXPECT_THAT(value_of(arguments, "-sandbox"), HasSubstr("on,"));
  EXPECT_THAT(arguments, Not(Contains("-netdev")));
  EXPECT_THAT(arguments, Not(Contains(HasSubstr("virtio-net"))));
}

TEST(QemuCommand, OpensTheRootReadOnlyAndUnlockedWhateverItsName) {
  std::string drive = value_of(qemu_arguments(machine(Accelerator::kTcg)), "-blockdev");
  EXPECT_THAT(drive, HasSubstr("\"filename\":\"/i/a,b\""));
  EXPECT_THAT(drive, HasSubstr("\"read-only\":true"));
  EXPECT_THAT(drive, HasSubstr("\"locking\":\"off\""));
}

TEST(QemuCommand, GivesTheMachineWhatWasAskedFor) {
  auto arguments = qemu_arguments(machine(Accelerator::kTcg));
  EXPECT_EQ(value_of(arguments, "-m"), "512M");
  EXPECT_EQ(value_of(arguments, "-smp"), "3");
  EXPECT_THAT(value_of(arguments, "-machine"), HasSubstr("accel=tcg"));
  EXPECT_THAT(value_of(qemu_arguments(machine(Accelerator::kKvm)), "-machine"),
              HasSubstr("accel=kvm"));
}

TEST(QemuCommand, OnlyEmulationNeedsToBeToldTheClock) {
  std::string emulated = kernel_command_line(machine(Accelerator::kTcg));
  EXPECT_THAT(emulated, HasSubstr("no_timer_check"));
  EXPECT_THAT(emulated, HasSubstr("tsc_early_khz=2500000 lpj=10000000"));
  EXPECT_EQ(kernel_command_line(machine(Accelerator::kKvm)),
            "console=ttyS0 reboot=t panic=-1 quiet");
}

}  // namespace
}  // namespace gondolin::vm
