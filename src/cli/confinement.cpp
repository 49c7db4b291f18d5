// Landlock by its system calls, since Debian 12's headers know its first versions only;
// seccomp through libseccomp, which knows the numbers of every architecture.
#include "cli/confinement.hpp"

#include <fcntl.h>
#include <linux/landlock.h>
#include <seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string_view>

#include <fmt/format.h>

#include "cli/commands.hpp"

namespace gondolin::cli {
namespace {

// As in newer <linux/landlock.h>; the kernel takes the first bytes of it, as many as
// its version knows.
struct Ruleset {
  std::uint64_t files = 0;
  std::uint64_t ports = 0;   // since version 4
  std::uint64_t scopes = 0;  // since version 6
};
struct PortRule {
  std::uint64_t allowed;
  std::uint64_t port;
};
constexpr std::uint64_t kBindTcp = 1;
constexpr std::uint64_t kAllScopes = 3;  // abstract Unix sockets, signals
constexpr int kPortRuleType = 2;

// Every right that version `abi` can take away; each is a bit, added from the lowest on.
std::uint64_t all_file_rights(int abi) {
  unsigned bits = 13;
  if (abi >= 2) ++bits;  // moving files between directories
  if (abi >= 3) ++bits;  // truncate
  if (abi >= 5) ++bits;  // ioctl of devices
  return (std::uint64_t{1} << bits) - 1;
}

std::size_t ruleset_size(int abi) {
  if (abi < 4) return sizeof(std::uint64_t);
  return abi < 6 ? 2 * sizeof(std::uint64_t) : sizeof(Ruleset);
}

int landlock_abi() {
  long version =
      ::syscall(SYS_landlock_create_ruleset, nullptr, 0, LANDLOCK_CREATE_RULESET_VERSION);
  return version > 0 ? static_cast<int>(version) : 0;
}

[[noreturn]] void refuse(std::string_view what, int error) {
  throw CommandError(
      fmt::format("Cannot confine this process: {}: {} (GONDOLIN_CONFINE=off runs it "
                  "without)",
                  what, std::strerror(error)));
}

// A descriptor of the ruleset or of a directory.
class Descriptor {
 public:
  explicit Descriptor(long fd) : fd_(static_cast<int>(fd)) {}
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  ~Descriptor() {
    if (fd_ >= 0) ::close(fd_);
  }
  [[nodiscard]] int get() const { return fd_; }

 private:
  int fd_;
};

void allow_reading(int ruleset, const std::filesystem::path& directory) {
  Descriptor parent(::open(directory.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (parent.get() < 0) refuse(directory.string(), errno);
  landlock_path_beneath_attr rule{};
  rule.allowed_access = LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR;
  rule.parent_fd = parent.get();
  if (::syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &rule, 0) != 0)
    refuse("landlock_add_rule", errno);
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
  return {.landlock_abi = landlock_abi(), .seccomp = ::prctl(PR_GET_SECCOMP, 0, 0, 0, 0) >= 0};
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
  int abi = landlock_abi();
  if (abi == 0) return;
  Ruleset wanted{.files = all_file_rights(abi), .ports = kBindTcp, .scopes = kAllScopes};
  Descriptor ruleset(::syscall(SYS_landlock_create_ruleset, &wanted, ruleset_size(abi), 0));
  if (ruleset.get() < 0) refuse("landlock_create_ruleset", errno);
  for (const auto& directory : directories)
    allow_reading(ruleset.get(), directory);
  PortRule port{.allowed = kBindTcp, .port = bind_port};
  if (abi >= 4 && ::syscall(SYS_landlock_add_rule, ruleset.get(), kPortRuleType, &port, 0) != 0)
    refuse("landlock_add_rule", errno);
  if (::syscall(SYS_landlock_restrict_self, ruleset.get(), 0) != 0)
    refuse("landlock_restrict_self", errno);
}

void confine_calls(std::span<const AllowedCall> calls) {
  give_up_privileges();
  if (!confinement_support().seccomp) return;
  Filter filter(seccomp_init(SCMP_ACT_ERRNO(EPERM)), &seccomp_release);
  if (!filter) refuse("seccomp", ENOMEM);
  // Threads that run already are to have the filter as well.
  if (int error = seccomp_attr_set(filter.get(), SCMP_FLTATR_CTL_TSYNC, 1); error != 0)
    refuse("seccomp", -error);
  // One lookup for each call, not one comparison for each line of the list.
  seccomp_attr_set(filter.get(), SCMP_FLTATR_CTL_OPTIMIZE, 2);
  for (const AllowedCall& call : calls)
    allow(filter.get(), call);
  if (int error = seccomp_load(filter.get()); error != 0) refuse("seccomp", -error);
}

}  // namespace gondolin::cli
