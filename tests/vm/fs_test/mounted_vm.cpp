#include "fs_test/mounted_vm.hpp"

#include <algorithm>
#include <cstdlib>
#include <fstream>

#include <gtest/gtest.h>

namespace gondolin::test {
namespace {

std::unique_ptr<MountedVm>& instance() {
  static std::unique_ptr<MountedVm> vm;
  return vm;
}

class EndOfVm final : public testing::Environment {
  void TearDown() override { instance().reset(); }
};
[[maybe_unused]] const auto* const kEndOfVm = testing::AddGlobalTestEnvironment(new EndOfVm);

}  // namespace

MountedVm& mounted_vm() {
  if (!instance()) instance() = std::make_unique<MountedVm>();
  return *instance();
}

MountedVm::MountedVm() {
  std::string path = (std::filesystem::temp_directory_path() / "gondolin-mounts-XXXXXX").string();
  EXPECT_NE(::mkdtemp(path.data()), nullptr);
  base_ = path;
  host_ = base_ / "shared";
  std::filesystem::create_directory(host_);
  std::ofstream(base_ / "secret") << "secret";
  ImageStoreOptions store{.store = {}, .guest_dir = GONDOLIN_GUEST_PROGRAMS};
  ImageStore(store).ensure();
  VmOptions options;
  options.image_store = store;
  options.on_event = [this](const VmEvent& event) {
    std::lock_guard lock(mutex_);
    events_.push_back(event.message);
  };
  options.mounts = {
      {.path = "/work/nested/deep", .provider = memory_},
      {.path = "/work", .provider = std::make_shared<HostDirectory>(host_)},
      {.path = "/reader",
       .provider = std::make_shared<HostDirectory>(host_),
       .access = VfsAccess::kReadOnly},
  };
  vm_.emplace(Vm::create(std::move(options)));
}

MountedVm::~MountedVm() {
  vm_.reset();
  std::filesystem::remove_all(base_);
}

CommandResult MountedVm::guest(const std::string& script) {
  const RunResult result =
      vm_->run({.argv = {"sh", "-c", script}}, {.timeout = std::chrono::minutes(2)});
  return {result.status.shell_status(), result.output, result.errors};
}

std::string MountedVm::guest_says(const std::string& script) {
  CommandResult result = guest(script);
  EXPECT_EQ(result.status, 0) << script << ": " << result.errors;
  while (result.output.ends_with('\n'))
    result.output.pop_back();
  return result.output;
}

int MountedVm::restarts_of(const std::string& daemon) {
  std::lock_guard lock(mutex_);
  return static_cast<int>(std::ranges::count_if(events_, [&](const std::string& event) {
    return event.starts_with(daemon) && event.find("restarted") != event.npos;
  }));
}

}  // namespace gondolin::test
