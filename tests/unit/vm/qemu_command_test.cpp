#include "vm/qemu_command.hpp"

#include <algorithm>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace gondolin::vm {
namespace {

using testing::AllOf;
using testing::Contains;
using testing::HasSubstr;
using testing::Not;

MachineOptions machine() {
  MachineOptions options;
  options.kernel = "/images/vmlinux";
  options.initramfs = "/images/initramfs";
  options.root = "/images/root.erofs";
  options.tsc_khz = 2'500'000;
  return options;
}

// What follows `option`, for each time it is given.
std::vector<std::string> values(const std::vector<std::string>& arguments,
                                const std::string& option) {
  std::vector<std::string> found;
  for (std::size_t i = 0; i + 1 < arguments.size(); ++i) {
    if (arguments[i] == option) found.push_back(arguments[i + 1]);
  }
  return found;
}

std::string value(const std::vector<std::string>& arguments, const std::string& option) {
  auto found = values(arguments, option);
  EXPECT_EQ(found.size(), 1U) << option;
  return found.empty() ? "" : found.front();
}

TEST(QemuCommand, HasNoNetworkAndNoDefaults) {
  auto arguments = qemu_arguments(machine());
  EXPECT_THAT(arguments,
              AllOf(Contains("-nodefaults"), Contains("-no-user-config"), Contains("-no-reboot")));
  for (const std::string& argument : arguments) {
    EXPECT_THAT(argument, AllOf(Not(HasSubstr("net")), Not(HasSubstr("vsock"))));
  }
}

TEST(QemuCommand, RunsQemuInItsSandbox) {
  EXPECT_EQ(value(qemu_arguments(machine()), "-sandbox"),
            "on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny");
}

TEST(QemuCommand, MemoryThatIsAFileIsSharedOrPrivate) {
  MachineOptions options = machine();
  options.memory_mib = 256;
  options.memory_file = {"/templates/a/memory", MemoryFile::Use::kShared};
  auto made = qemu_arguments(options);
  auto object = nlohmann::json::parse(value(made, "-object"));
  EXPECT_EQ(object["mem-path"], "/proc/self/fd/12");
  EXPECT_EQ(object["size"], 256U << 20);
  EXPECT_EQ(object["share"], true);
  EXPECT_EQ(value(made, "-machine"), "microvm,accel=tcg,memory-backend=memory");
  EXPECT_THAT(made, Not(Contains("-incoming")));

  options.memory_file->use = MemoryFile::Use::kPrivate;
  auto cloned = qemu_arguments(options);
  EXPECT_EQ(nlohmann::json::parse(value(cloned, "-object"))["share"], false);
  EXPECT_EQ(value(cloned, "-incoming"), "defer");
}

TEST(QemuCommand, GivesEveryPortItsNameAndDescriptor) {
  auto arguments = qemu_arguments(machine());
  auto chardevs = values(arguments, "-chardev");
  auto devices = values(arguments, "-device");
  EXPECT_THAT(chardevs, Contains("socket,id=control,fd=5"));
  EXPECT_THAT(chardevs, Contains("socket,id=fs,fd=6"));
  EXPECT_THAT(chardevs, Contains("socket,id=ingress,fd=7"));
  EXPECT_THAT(chardevs, Contains("socket,id=mounts,fd=8"));
  for (const char* name : {"control", "fs", "ingress", "mounts"}) {
    EXPECT_THAT(devices, Contains(std::string("virtserialport,chardev=") + name +
                                  ",name=org.gondolin." + name));
  }
}

TEST(QemuCommand, OpensTheRootReadOnlyAndWithoutLocks) {
  auto drive = nlohmann::json::parse(value(qemu_arguments(machine()), "-blockdev"));
  EXPECT_EQ(drive["read-only"], true);
  EXPECT_EQ(drive["file"]["read-only"], true);
  EXPECT_EQ(drive["file"]["locking"], "off");
  EXPECT_EQ(drive["file"]["filename"], "/proc/self/fd/11");
}

TEST(QemuCommand, NamesNoFileButInheritedOnes) {
  MachineOptions options = machine();
  options.memory_file = {"/templates/a/memory", MemoryFile::Use::kPrivate};
  auto arguments = qemu_arguments(options);
  EXPECT_EQ(value(arguments, "-kernel"), "/proc/self/fd/9");
  EXPECT_EQ(value(arguments, "-initrd"), "/proc/self/fd/10");
  for (const std::string& argument : arguments)
    EXPECT_THAT(argument, AllOf(Not(HasSubstr("/images")), Not(HasSubstr("/templates"))));
}

TEST(QemuCommand, TakesMemoryAndProcessorsFromTheOptions) {
  auto options = machine();
  options.memory_mib = 256;
  options.cpus = 4;
  auto arguments = qemu_arguments(options);
  EXPECT_EQ(value(arguments, "-m"), "256M");
  EXPECT_EQ(value(arguments, "-smp"), "4");
}

TEST(QemuCommand, TellsAnEmulatedGuestItsClock) {
  EXPECT_EQ(kernel_command_line(machine()),
            "console=ttyS0 reboot=t panic=-1 quiet dummy.numdummies=0 no_timer_check norandmaps "
            "tsc=reliable tsc_early_khz=2500000 lpj=10000000");
}

TEST(QemuCommand, LeavesAnUnknownClockToTheGuest) {
  auto options = machine();
  options.tsc_khz.reset();
  EXPECT_EQ(kernel_command_line(options),
            "console=ttyS0 reboot=t panic=-1 quiet dummy.numdummies=0 no_timer_check norandmaps");
}

TEST(QemuCommand, DoesNotTellAnEmulatedGuestThatRepMovsbIsFast) {
  EXPECT_EQ(value(qemu_arguments(machine()), "-cpu"), "max,-erms");
}

TEST(QemuCommand, LeavesTheClockToKvm) {
  auto options = machine();
  options.accelerator = Accelerator::kKvm;
  EXPECT_EQ(kernel_command_line(options),
            "console=ttyS0 reboot=t panic=-1 quiet dummy.numdummies=0");
  auto arguments = qemu_arguments(options);
  EXPECT_EQ(value(arguments, "-machine"), "microvm,accel=kvm");
  EXPECT_EQ(value(arguments, "-cpu"), "host");
}

}  // namespace
}  // namespace gondolin::vm
