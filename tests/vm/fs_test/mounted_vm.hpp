// One VM with mounts of every kind, booted once for the tests of this program.
#pragma once

#include <filesystem>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "gondolin/vm.hpp"
#include "support/command.hpp"

namespace gondolin::test {

class MountedVm {
 public:
  MountedVm();
  ~MountedVm();
  MountedVm(const MountedVm&) = delete;
  MountedVm& operator=(const MountedVm&) = delete;

  [[nodiscard]] Vm& vm() { return *vm_; }
  [[nodiscard]] MemoryProvider& memory() { return *memory_; }
  // The directory of this machine that is /work (and, read-only, /reader) in the guest.
  [[nodiscard]] const std::filesystem::path& host() const { return host_; }

  // Runs a shell script in the guest.
  [[nodiscard]] CommandResult guest(const std::string& script);
  // What it prints, without the newline at the end; fails the test unless it succeeds.
  [[nodiscard]] std::string guest_says(const std::string& script);
  // How often it was told that this daemon restarted.
  [[nodiscard]] int restarts_of(const std::string& daemon);

 private:
  std::filesystem::path base_;
  std::filesystem::path host_;
  std::shared_ptr<MemoryProvider> memory_ = std::make_shared<MemoryProvider>();
  std::mutex mutex_;
  std::vector<std::string> events_;
  std::optional<Vm> vm_;
};

// Made on first use. Ended by the last test of the program's environment.
[[nodiscard]] MountedVm& mounted_vm();

}  // namespace gondolin::test
