#include "vm/qemu_confinement.hpp"

#include <linux/capability.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <fstream>
#include <string>
#include <string_view>

#include "base/landlock.hpp"

namespace gondolin::vm {
namespace {

namespace fs = std::filesystem;

constexpr const char* kKvmDevice = "/dev/kvm";

bool wanted() {
  const char* wish = std::getenv("GONDOLIN_CONFINE");
  return wish == nullptr || std::string_view(wish) != "off";
}

// --- the user ------------------------------------------------------------------------

bool may_change_users() {
  __user_cap_header_struct header{.version = _LINUX_CAPABILITY_VERSION_3, .pid = 0};
  std::array<__user_cap_data_struct, _LINUX_CAPABILITY_U32S_3> data{};
  if (::geteuid() != 0 || ::syscall(SYS_capget, &header, data.data()) != 0) return false;
  constexpr unsigned kNeeded = 1U << CAP_SETUID | 1U << CAP_SETGID | 1U << CAP_CHOWN;
  return (data[0].effective & kNeeded) == kNeeded;
}

// Whether the id exists here: user namespaces have those of their map only.
bool is_mapped(const char* map, unsigned long id) {
  std::ifstream file(map);
  unsigned long first = 0;
  unsigned long outside = 0;
  unsigned long count = 0;
  while (file >> first >> outside >> count) {
    if (id >= first && id - first < count) return true;
  }
  return false;
}

// Whether everybody can reach and run the program.
bool is_public(const fs::path& program) {
  constexpr auto kOthersRun = fs::perms::others_exec;
  std::error_code error;
  fs::path path = fs::canonical(program, error);
  if (error) return false;
  for (; path.has_relative_path(); path = path.parent_path()) {
    if ((fs::status(path, error).permissions() & kOthersRun) == fs::perms::none || error)
      return false;
  }
  return true;
}

// Makes the file one that `id`'s group may use, unless everybody may. It stays ours.
bool share_with_group(const QemuFile& file, gid_t id) {
  struct stat status{};
  if (::fstat(file.fd.get(), &status) != 0) return false;
  const mode_t needed = file.use == QemuFile::Use::kRead ? S_IRGRP : S_IRGRP | S_IWGRP;
  const mode_t by_all = needed >> 3;
  if ((status.st_mode & by_all) == by_all) return true;
  if (status.st_gid == id && (status.st_mode & needed) == needed) return true;
  return ::fchown(file.fd.get(), static_cast<uid_t>(-1), id) == 0 &&
         ::fchmod(file.fd.get(), (status.st_mode & 0700) | needed) == 0;
}

std::optional<ChildUser> find_user(const fs::path& qemu, Accelerator accelerator,
                                   const std::vector<QemuFile>& files) {
  if (!may_change_users() || !is_mapped("/proc/self/uid_map", kQemuId) ||
      !is_mapped("/proc/self/gid_map", kQemuId) || !is_public(qemu)) {
    return std::nullopt;
  }
  ChildUser user{.uid = kQemuId, .gid = kQemuId, .further_group = {}};
  if (accelerator == Accelerator::kKvm) {
    struct stat device{};
    if (::stat(kKvmDevice, &device) != 0) return std::nullopt;
    constexpr mode_t kByAll = S_IROTH | S_IWOTH;
    constexpr mode_t kByGroup = S_IRGRP | S_IWGRP;
    if ((device.st_mode & kByAll) != kByAll) {
      // Root's own group opens more than the device.
      if ((device.st_mode & kByGroup) != kByGroup || device.st_gid == 0) return std::nullopt;
      user.further_group = device.st_gid;
    }
  }
  for (const QemuFile& file : files)
    if (!share_with_group(file, kQemuId)) return std::nullopt;
  return user;
}

// --- the files -----------------------------------------------------------------------

struct SystemFile {
  std::string path;
  std::uint64_t access;
};

// What programs are made of on every distribution, firmware included, and what libraries ask
// for at their start. None of it is a user's.
std::vector<SystemFile> system_files(const fs::path& qemu, Accelerator accelerator) {
  constexpr std::uint64_t kUse = FileAccess::kRead | FileAccess::kRun;
  constexpr std::uint64_t kDevice = FileAccess::kRead | FileAccess::kWrite;
  std::vector<SystemFile> files;
  for (const char* path : {"/usr", "/lib", "/lib32", "/lib64", "/bin", "/nix/store", "/gnu/store"})
    files.push_back({path, kUse});
  for (const char* path : {"/etc/ld.so.cache", "/etc/ld.so.preload", "/etc/localtime",
                           "/sys/devices/system", "/sys/kernel/mm", "/dev/urandom"})
    files.push_back({path, FileAccess::kRead});
  files.push_back({"/dev/null", kDevice});
  if (accelerator == Accelerator::kKvm)
    files.push_back({kKvmDevice, kDevice | FileAccess::kControl});
  // A QEMU of the user's own, where it is installed or was built.
  std::error_code error;
  const fs::path program = fs::canonical(qemu, error);
  files.push_back({program.string(), kUse});
  const fs::path prefix = program.parent_path().parent_path();
  for (const char* name : {"lib", "lib64", "libexec", "share/qemu", "share/seabios"})
    files.push_back({(prefix / name).string(), kUse});
  files.push_back({(program.parent_path() / "pc-bios").string(), kUse});
  return files;
}

Result<UniqueFd> landlock_for(const fs::path& qemu, Accelerator accelerator,
                              const std::vector<QemuFile>& files) {
  auto landlock = Landlock::deny_all(Landlock::Connect::kDenied);
  if (!landlock) return tl::unexpected(landlock.error());
  for (const SystemFile& file : system_files(qemu, accelerator)) {
    auto allowed = landlock->allow(file.path, file.access);
    if (!allowed && allowed.error().code != ErrorCode::kNotFound)
      return tl::unexpected(allowed.error());
  }
  for (const QemuFile& file : files) {
    std::uint64_t access = FileAccess::kRead;
    if (file.use == QemuFile::Use::kWrite) access |= FileAccess::kWrite | FileAccess::kTruncate;
    if (auto allowed = landlock->allow(file.fd.get(), access); !allowed)
      return tl::unexpected(allowed.error());
  }
  return std::move(*landlock).release();
}

}  // namespace

Result<QemuConfinement> confine_qemu(const fs::path& qemu, Accelerator accelerator,
                                     const std::vector<QemuFile>& files) {
  QemuConfinement confinement;
  if (!wanted()) return confinement;
  confinement.user = find_user(qemu, accelerator, files);
  auto landlock = landlock_for(qemu, accelerator, files);
  if (!landlock) return tl::unexpected(landlock.error());
  confinement.landlock = std::move(*landlock);
  return confinement;
}

}  // namespace gondolin::vm
