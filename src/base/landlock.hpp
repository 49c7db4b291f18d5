// A Landlock ruleset: from the moment it is in force, a thread and what it starts reach the
// files that were allowed and no others, bind and connect no TCP port but those allowed, and
// (from version 6 of Landlock on) reach no abstract Unix socket and signal nobody outside.
//
// By its system calls, since Debian 12's headers know its first versions only; in a header,
// so that the command line, which links nothing but the public library, can use it too. On a
// kernel without Landlock everything here succeeds and changes nothing.
#pragma once

#include <fcntl.h>
#include <linux/landlock.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <string>
#include <utility>

#include "base/result.hpp"
#include "base/unique_fd.hpp"

namespace gondolin {

// What may be done with a file, or with those below a directory; to be combined with |.
struct FileAccess {
  static constexpr std::uint64_t kRead = LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR;
  static constexpr std::uint64_t kRun = LANDLOCK_ACCESS_FS_EXECUTE;
  static constexpr std::uint64_t kWrite = LANDLOCK_ACCESS_FS_WRITE_FILE;
  static constexpr std::uint64_t kTruncate = std::uint64_t{1} << 14;  // since version 3
  static constexpr std::uint64_t kControl = std::uint64_t{1} << 15;   // ioctl; since version 5
};

class Landlock {
 public:
  // The version that the kernel has, 0 for none.
  [[nodiscard]] static int version() {
    long version =
        ::syscall(SYS_landlock_create_ruleset, nullptr, 0, LANDLOCK_CREATE_RULESET_VERSION);
    return version > 0 ? static_cast<int>(version) : 0;
  }

  // A ruleset that takes away all that the kernel knows how to, but for outgoing TCP
  // connections when `connect` says so.
  enum class Connect : std::uint8_t { kAllowed, kDenied };
  [[nodiscard]] static Result<Landlock> deny_all(Connect connect) {
    Landlock made;
    made.version_ = version();
    if (made.version_ == 0) return made;
    Attributes wanted{.files = made.known_file_rights(),
                      .ports = kBindTcp | (connect == Connect::kDenied ? kConnectTcp : 0),
                      .scopes = kAllScopes};
    made.ruleset_.reset(static_cast<int>(
        ::syscall(SYS_landlock_create_ruleset, &wanted, made.attributes_size(), 0)));
    if (!made.ruleset_.valid()) return fail_errno("landlock_create_ruleset", errno);
    return made;
  }

  // Allows `access` to the open file, or to what is below the open directory.
  [[nodiscard]] Status allow(int fd, std::uint64_t access) {
    if (version_ == 0) return {};
    struct stat status{};
    if (::fstat(fd, &status) != 0) return fail_errno("fstat", errno);
    if (!S_ISDIR(status.st_mode)) access &= ~std::uint64_t{LANDLOCK_ACCESS_FS_READ_DIR};
    landlock_path_beneath_attr rule{};
    rule.allowed_access = access & known_file_rights();
    rule.parent_fd = fd;
    return add_rule(LANDLOCK_RULE_PATH_BENEATH, &rule);
  }

  // The same by path. kNotFound when there is nothing of this name.
  [[nodiscard]] Status allow(const std::string& path, std::uint64_t access) {
    if (version_ == 0) return {};
    UniqueFd file(::open(path.c_str(), O_PATH | O_CLOEXEC));
    if (!file.valid() && (errno == ENOENT || errno == ENOTDIR))
      return fail(ErrorCode::kNotFound, path + " does not exist");
    if (!file.valid()) return fail_errno("open " + path, errno);
    return allow(file.get(), access);
  }

  // Allows to bind this TCP port; 0 allows any that is free.
  [[nodiscard]] Status allow_bind(std::uint16_t port) {
    if (version_ < 4) return {};
    PortRule rule{.allowed = kBindTcp, .port = port};
    return add_rule(kPortRuleType, &rule);
  }

  // Puts it in force for this thread, which must have no-new-privileges.
  [[nodiscard]] Status restrict_self() const {
    if (version_ == 0) return {};
    if (::syscall(SYS_landlock_restrict_self, ruleset_.get(), 0) != 0)
      return fail_errno("landlock_restrict_self", errno);
    return {};
  }

  // For landlock_restrict_self() in a child; none without Landlock.
  [[nodiscard]] UniqueFd release() && { return std::move(ruleset_); }

 private:
  // As in newer <linux/landlock.h>; the kernel takes the first bytes of it, as many as its
  // version knows.
  struct Attributes {
    std::uint64_t files = 0;
    std::uint64_t ports = 0;   // since version 4
    std::uint64_t scopes = 0;  // since version 6
  };
  struct PortRule {
    std::uint64_t allowed;
    std::uint64_t port;
  };
  static constexpr std::uint64_t kBindTcp = 1;
  static constexpr std::uint64_t kConnectTcp = 2;
  static constexpr std::uint64_t kAllScopes = 3;  // abstract Unix sockets, signals
  static constexpr int kPortRuleType = 2;

  // Each right is a bit, added from the lowest on.
  [[nodiscard]] std::uint64_t known_file_rights() const {
    unsigned bits = 13;
    if (version_ >= 2) ++bits;  // moving files between directories
    if (version_ >= 3) ++bits;  // truncate
    if (version_ >= 5) ++bits;  // ioctl of devices
    return (std::uint64_t{1} << bits) - 1;
  }
  [[nodiscard]] std::size_t attributes_size() const {
    if (version_ < 4) return sizeof(std::uint64_t);
    return version_ < 6 ? 2 * sizeof(std::uint64_t) : sizeof(Attributes);
  }
  [[nodiscard]] Status add_rule(int type, const void* rule) {
    if (::syscall(SYS_landlock_add_rule, ruleset_.get(), type, rule, 0) != 0)
      return fail_errno("landlock_add_rule", errno);
    return {};
  }

  int version_ = 0;
  UniqueFd ruleset_;
};

}  // namespace gondolin
