// `gondolin doctor`: what this machine has, what is in force, what is missing.

#include <sched.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <filesystem>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

#include <fmt/format.h>

#include "cli/commands.hpp"
#include "cli/confinement.hpp"
#include "cli/running_processes.hpp"
#include "gondolin/error.hpp"
#include "gondolin/image.hpp"
#include "gondolin/machine.hpp"

namespace gondolin::cli {
namespace {

// kMissing: no VM can run. kWeaker: one can, more slowly or less well enclosed.
enum class Health { kGood, kWeaker, kMissing };

struct Finding {
  Health health;
  std::string subject;
  std::string text;
};

Finding examine_qemu(const MachineReport& machine) {
  if (!machine.qemu) return {Health::kMissing, "QEMU", machine.qemu_note};
  return {Health::kGood, "QEMU", fmt::format("{} ({})", *machine.qemu, machine.qemu_note)};
}

Finding examine_kvm(const MachineReport& machine) {
  using Kvm = MachineReport::Kvm;
  switch (machine.kvm) {
    case Kvm::kWorks:
      return {Health::kGood, "KVM", "works"};
    case Kvm::kUntried:
      return {Health::kGood, "KVM", "can be opened; the first VM finds out whether it works"};
    case Kvm::kBroken:
    case Kvm::kMissing:
      break;
  }
  return {Health::kWeaker, "KVM",
          "VMs run under emulation, several times slower: " + machine.kvm_note};
}

bool in_path(std::string_view program) {
  const char* path = std::getenv("PATH");
  std::istringstream directories(std::string(path != nullptr ? path : "") + ":/usr/sbin:/sbin");
  std::string directory;
  while (std::getline(directories, directory, ':')) {
    if (::access((std::filesystem::path(directory) / program).c_str(), X_OK) == 0) return true;
  }
  return false;
}

Finding examine_image() {
  try {
    static_cast<void>(ImageStore().resolve());
    return {Health::kGood, "image", fmt::format("{} is there", kDefaultImage)};
  } catch (const ApiError& error) {
    if (error.code() != ApiErrorCode::kNotFound) return {Health::kMissing, "image", error.what()};
  }
  std::string missing;
  for (std::string_view program : {"mmdebstrap", "mkfs.erofs"}) {
    if (!in_path(program)) missing += fmt::format(" {}", program);
  }
  if (missing.empty()) return {Health::kGood, "image", "none yet; the first VM builds it"};
  return {Health::kMissing, "image",
          fmt::format("none yet, and to build it these are missing:{} "
                      "(apt install mmdebstrap erofs-utils)",
                      missing)};
}

// Tries it, in a child that ends at once.
bool user_namespaces_work() {
  pid_t pid = ::fork();
  if (pid == 0) ::_exit(::unshare(CLONE_NEWUSER) == 0 ? 0 : 1);
  int status = 1;
  return pid > 0 && ::waitpid(pid, &status, 0) == pid && status == 0;
}

Finding examine_user_namespaces() {
  if (user_namespaces_work()) return {Health::kGood, "user namespaces", "work"};
  if (::geteuid() == 0) return {Health::kGood, "user namespaces", "none; root needs none"};
  return {Health::kWeaker, "user namespaces",
          "none: only root can build images (sysctl kernel.unprivileged_userns_clone)"};
}

std::vector<Finding> examine_confinement() {
  if (!confinement_wanted()) {
    return {{Health::kWeaker, "confinement", "off: GONDOLIN_CONFINE=off, or a sanitized build"}};
  }
  const ConfinementSupport support = confinement_support();
  Finding calls{Health::kGood, "seccomp",
                fmt::format("works: the gateway makes only the system calls on a list of {}, "
                            "exec and bash those on one of {}",
                            std::size(kServingCalls) + std::size(kGatewayCalls),
                            std::size(kServingCalls) + std::size(kSessionCalls))};
  if (!support.seccomp) {
    calls = {Health::kWeaker, "seccomp",
             "this kernel has none: the gateway makes any system call; QEMU does not start"};
  }
  Finding files{
      Health::kGood, "Landlock",
      fmt::format("version {}: the gateway reads its listeners file's directory alone, QEMU "
                  "its own program and what it is given",
                  support.landlock_abi)};
  if (support.landlock_abi == 0) {
    files = {Health::kWeaker, "Landlock",
             "this kernel has none: the gateway and QEMU read what you can"};
  }
  return {calls, files};
}

// What is in force, of the processes that run now, not what is meant to be.
std::vector<Finding> examine_processes() {
  std::vector<Finding> findings;
  for (const RunningProcess& process : running_processes()) {
    std::string text = fmt::format(
        "runs as user {}, {}seccomp filter, {}new privileges, {}capabilities", process.user,
        process.seccomp ? "" : "no ", process.no_new_privileges ? "no " : "can gain ",
        process.capabilities ? "" : "no ");
    const bool confined = process.seccomp && process.no_new_privileges;
    findings.push_back({confined ? Health::kGood : Health::kWeaker,
                        fmt::format("{} {}", process.what, process.pid), std::move(text)});
  }
  if (findings.empty())
    findings.push_back({Health::kGood, "processes", "no VM and no gateway runs now"});
  return findings;
}

std::string_view word_for(Health health) {
  switch (health) {
    case Health::kGood:
      return "ok";
    case Health::kWeaker:
      return "weaker";
    case Health::kMissing:
      break;
  }
  return "MISSING";
}

int run_doctor() {
  const MachineReport machine = inspect_machine();
  std::vector<Finding> findings{examine_qemu(machine), examine_kvm(machine), examine_image(),
                                examine_user_namespaces()};
  for (Finding& finding : examine_confinement())
    findings.push_back(std::move(finding));
  for (Finding& finding : examine_processes())
    findings.push_back(std::move(finding));
  int status = 0;
  for (const Finding& finding : findings) {
    fmt::print("{:<8} {:<16} {}\n", word_for(finding.health), finding.subject, finding.text);
    if (finding.health == Health::kMissing) status = 1;
  }
  return status;
}

}  // namespace

void add_doctor_command(CLI::App& app, Invocation& invocation) {
  CLI::App* command =
      app.add_subcommand("doctor", "Say what this machine has for VMs, and what confines them");
  command->footer(
      "A line for each: ok, weaker (VMs run, but slower or less well enclosed) or MISSING.\n"
      "Exits with 0 when VMs can run here, with 1 when something they need is MISSING.");
  command->callback([&invocation] { invocation.exit_code = run_doctor(); });
}

}  // namespace gondolin::cli
