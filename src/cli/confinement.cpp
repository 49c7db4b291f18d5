// Through libseccomp, which knows the numbers of every architecture.
#include "cli/confinement.hpp"

#include <seccomp.h>
#include <signal.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <fstream>
#include <memory>
#include <string_view>

#include <fmt/format.h>

#include "base/landlock.hpp"
#include "cli/commands.hpp"

namespace gondolin::cli {
namespace {

[[noreturn]] void refuse(const Error& error) {
  throw CommandError(fmt::format(
      "Cannot confine this process: {} (GONDOLIN_CONFINE=off runs it without)", error.message));
}

[[noreturn]] void refuse(const std::string& what, int error) {
  refuse(fail_errno(what, error).value());
}

void check(const Status& status) {
  if (!status) refuse(status.error());
}

void give_up_privileges() {
  if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) refuse("no-new-privileges", errno);
}

using Filter = std::unique_ptr<void, decltype(&seccomp_release)>;

void allow(scmp_filter_ctx filter, const AllowedCall& call) {
  int number = seccomp_syscall_resolve_name(call.name);
  if (number == __NR_SCMP_ERROR) refuse(call.name, ENOSYS);
  std::vector<scmp_arg_cmp> comparisons;
  for (const ArgumentRule& rule : call.rules) {
    if (rule.mask == 0) continue;
    comparisons.push_back({rule.index, SCMP_CMP_MASKED_EQ, rule.mask, rule.value});
  }
  if (std::string_view(call.name) == "tgkill") {
    auto self = static_cast<scmp_datum_t>(::getpid());
    comparisons.push_back({0, SCMP_CMP_EQ, self, 0});
  }
  int error = seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, number,
                                     static_cast<unsigned>(comparisons.size()), comparisons.data());
  if (error != 0) refuse(call.name, -error);
}

}  // namespace

ConfinementSupport confinement_support() {
  return {.landlock_abi = Landlock::version(), .seccomp = ::prctl(PR_GET_SECCOMP, 0, 0, 0, 0) >= 0};
}

bool confinement_wanted() {
#ifdef GONDOLIN_SANITIZED
  return false;
#else
  const char* wish = std::getenv("GONDOLIN_CONFINE");
  return wish == nullptr || std::string_view(wish) != "off";
#endif
}

void confine_files(const std::vector<std::filesystem::path>& directories, std::uint16_t bind_port) {
  give_up_privileges();
  auto landlock = Landlock::deny_all(Landlock::Connect::kAllowed);
  if (!landlock) refuse(landlock.error());
  for (const auto& directory : directories)
    check(landlock->allow(directory.string(), FileAccess::kRead));
  check(landlock->allow_bind(bind_port));
  check(landlock->restrict_self());
}

void confine_calls(std::initializer_list<std::span<const AllowedCall>> lists) {
  give_up_privileges();
  if (!confinement_support().seccomp) return;
  Filter filter(seccomp_init(SCMP_ACT_ERRNO(EPERM)), &seccomp_release);
  if (!filter) refuse("seccomp", ENOMEM);
  // Threads that run already are to have the filter as well.
  if (int error = seccomp_attr_set(filter.get(), SCMP_FLTATR_CTL_TSYNC, 1); error != 0)
    refuse("seccomp", -error);
  // One lookup for each call, not one comparison for each line of the list.
  seccomp_attr_set(filter.get(), SCMP_FLTATR_CTL_OPTIMIZE, 2);
  for (auto list : lists) {
    for (const AllowedCall& call : list)
      allow(filter.get(), call);
  }
  if (int error = seccomp_load(filter.get()); error != 0) refuse("seccomp", -error);
}

std::vector<AllowedCall> calls_to_end_children() {
  std::vector<AllowedCall> calls;
  for (const auto& task : std::filesystem::directory_iterator("/proc/self/task")) {
    std::ifstream children(task.path() / "children");
    for (std::uint64_t child = 0; children >> child;)
      calls.push_back({"kill", {{{0, kWholeArgument, child}, {1, kWholeArgument, SIGKILL}}}});
  }
  return calls;
}

}  // namespace gondolin::cli
