// Starting a VM with programs in QEMU's place; a real guest is tested in tests/vm.
#include "vm/vm.hpp"

#include <signal.h>
#include <sys/stat.h>

#include <chrono>
#include <fstream>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support.hpp"
#include "vfs/config_directory.hpp"

namespace gondolin::vm {
namespace {

using testing::AllOf;
using testing::HasSubstr;

class VmTest : public testing::Test {
 protected:
  VmTest() {
    for (const char* name : {"kernel", "initramfs", "root"})
      std::ofstream(file(name)) << name;
    options_.kernel = file("kernel");
    options_.initramfs = file("initramfs");
    options_.root = file("root");
    options_.accelerator = AcceleratorChoice::kTcg;
    options_.config = std::make_shared<vfs::ConfigDirectory>("");
  }

  std::filesystem::path file(const char* name) { return directory_.path() / name; }

  // Makes `script` what is run in QEMU's place.
  void replace_qemu(const std::string& script) {
    std::ofstream(file("qemu")) << "#!/bin/sh\n" << script << "\n";
    ASSERT_EQ(::chmod(file("qemu").c_str(), 0755), 0);
    qemu_.emplace("GONDOLIN_QEMU", file("qemu").c_str());
  }

  // The error that the start ends with.
  Error start() {
    Error error{};
    loop_.run([&]() -> Awaitable<void> {
      auto vm = co_await Vm::start(
          loop_.executor(), options_,
          [this](const VmEvent& event) { events_.push_back(event.kind); }, DebugLog());
      EXPECT_FALSE(vm);
      if (!vm) error = vm.error();
    });
    loop_.settle();
    return error;
  }

  TemporaryDirectory directory_;
  Loop loop_;
  VmOptions options_;
  std::vector<VmEvent::Kind> events_;
  std::optional<ScopedEnvironment> qemu_;
};

TEST_F(VmTest, AMissingQemuNamesThePackage) {
  ScopedEnvironment no_qemu("GONDOLIN_QEMU", nullptr);
  ScopedEnvironment path("PATH", directory_.path().c_str());
  Error error = start();
  EXPECT_EQ(error.code, ErrorCode::kUnavailable);
  EXPECT_THAT(error.message, HasSubstr("apt-get install qemu-system-x86"));
}

TEST_F(VmTest, AWrongQemuIsNamed) {
  ScopedEnvironment wrong("GONDOLIN_QEMU", "/no/such/qemu");
  EXPECT_THAT(start().message, HasSubstr("/no/such/qemu"));
}

TEST_F(VmTest, OptionsOutOfRangeAreRefusedBeforeAnythingStarts) {
  replace_qemu("exit 0");
  options_.memory_mib = 64;
  EXPECT_EQ(start().code, ErrorCode::kInvalidArgument);
  options_.memory_mib = 512;
  options_.cpus = 0;
  EXPECT_EQ(start().code, ErrorCode::kInvalidArgument);
  options_.cpus = 65;
  EXPECT_EQ(start().code, ErrorCode::kInvalidArgument);
}

TEST_F(VmTest, AnImageWithoutItsFilesIsNamed) {
  replace_qemu("exit 0");
  std::filesystem::remove(file("root"));
  Error error = start();
  EXPECT_EQ(error.code, ErrorCode::kNotFound);
  EXPECT_THAT(error.message, HasSubstr(file("root").string()));
}

TEST_F(VmTest, ABootFailureShowsTheConsoleAndQemusWords) {
  replace_qemu(
      "echo 'Run /init as init process' >&4; echo 'VFS: nothing to mount' >&4\n"
      "echo 'qemu: could not set up' >&2; exit 3");
  Error error = start();
  EXPECT_EQ(error.code, ErrorCode::kIo);
  EXPECT_THAT(error.message,
              AllOf(HasSubstr("QEMU exited with status 3: qemu: could not set up"),
                    HasSubstr("Run /init as init process"), HasSubstr("VFS: nothing to mount"),
                    HasSubstr("gondolin image verify")));
}

TEST_F(VmTest, AKernelPanicIsTheReason) {
  replace_qemu("echo '[    1.0] Kernel panic - not syncing: no init' >&4");
  EXPECT_THAT(start().message,
              HasSubstr("the guest's kernel panicked: Kernel panic - not syncing: no init"));
}

TEST_F(VmTest, AStartThatTheEndOfTheLoopCutsOffLeavesNoProcess) {
  replace_qemu("exec sleep 600");
  pid_t pid = 0;
  {
    boost::asio::io_context loop;
    boost::asio::co_spawn(loop, Vm::start(loop.get_executor(), options_, {}, DebugLog()),
                          boost::asio::detached);
    while (pid == 0 && !loop.stopped()) {
      loop.run_one();
      std::ifstream("/proc/thread-self/children") >> pid;
    }
    ASSERT_NE(pid, 0);
  }
  EXPECT_EQ(::kill(pid, 0), -1) << "it runs, or nobody has waited for it";
}

TEST_F(VmTest, ADaemonThatBreaksTheProtocolEndsTheBoot) {
  // A HELLO of protocol version 99 on the control port.
  replace_qemu(
      "printf "
      "'\\1\\0\\0\\0\\0\\0\\0\\0\\40\\0\\0\\0gondolin0123456789abcdef\\143\\0\\0\\0\\0\\20\\0\\0' "
      ">&5\n"
      "exec sleep 600");
  Error error = start();
  EXPECT_EQ(error.code, ErrorCode::kProtocol);
  EXPECT_THAT(error.message, HasSubstr("sandboxd broke the protocol"));
  EXPECT_THAT(events_, testing::ElementsAre(VmEvent::Kind::kProtocolError));
}

}  // namespace
}  // namespace gondolin::vm
