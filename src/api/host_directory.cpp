// HostDirectory: a directory of this machine for a guest.
//
// Every path is resolved by openat2(2) beneath a descriptor of the directory and without
// symbolic links, so neither ".." nor a link, nor one that appears while we look, leads
// out of it. What has no descriptor of its own (names that are made, removed or changed)
// is named by a descriptor of its parent, opened that way, and its last name alone.
#include <dirent.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <string>
#include <system_error>
#include <utility>

#include "base/unique_fd.hpp"
#include "gondolin/error.hpp"
#include "gondolin/vfs.hpp"

namespace gondolin {
namespace {

// The kernel says EAGAIN when it cannot tell, for renames elsewhere, that a path stays
// beneath the directory.
constexpr int kTries = 64;

constexpr mode_t kPermissions = 0777;

FileType type_of(mode_t mode) {
  if (S_ISREG(mode)) return FileType::kFile;
  if (S_ISDIR(mode)) return FileType::kDirectory;
  if (S_ISLNK(mode)) return FileType::kSymlink;
  return FileType::kOther;
}

VfsAttributes to_attributes(const struct stat& found) {
  const auto modified =
      std::chrono::seconds(found.st_mtim.tv_sec) + std::chrono::nanoseconds(found.st_mtim.tv_nsec);
  return {.type = type_of(found.st_mode),
          .permissions = found.st_mode & kPermissions,
          .size = static_cast<std::uint64_t>(found.st_size),
          .modified = VfsTime(modified)};
}

// Throws the errno of a call that returned a negative value.
template <typename Value>
Value checked(Value value) {
  if (value < 0) vfs_fail(errno);
  return value;
}

timespec to_timespec(VfsTime time) {
  const auto seconds = std::chrono::floor<std::chrono::seconds>(time);
  return {.tv_sec = seconds.time_since_epoch().count(), .tv_nsec = (time - seconds).count()};
}

off_t to_offset(std::uint64_t offset) {
  if (offset > static_cast<std::uint64_t>(INT64_MAX)) vfs_fail(EFBIG);
  return static_cast<off_t>(offset);
}

class HostFile final : public VfsFile {
 public:
  explicit HostFile(UniqueFd fd) : fd_(std::move(fd)) {}

  VfsAttributes attributes() override {
    struct stat found{};
    checked(::fstat(fd_.get(), &found));
    return to_attributes(found);
  }
  std::size_t read(std::uint64_t offset, std::span<std::byte> buffer) override {
    std::size_t done = 0;
    while (done < buffer.size()) {
      const ssize_t count =
          ::pread(fd_.get(), buffer.data() + done, buffer.size() - done, to_offset(offset + done));
      if (count < 0 && errno == EINTR) continue;
      if (checked(count) == 0) break;
      done += static_cast<std::size_t>(count);
    }
    return done;
  }
  std::size_t write(std::uint64_t offset, std::span<const std::byte> bytes) override {
    ssize_t count = 0;
    do {
      count = ::pwrite(fd_.get(), bytes.data(), bytes.size(), to_offset(offset));
    } while (count < 0 && errno == EINTR);
    return static_cast<std::size_t>(checked(count));
  }
  void truncate(std::uint64_t size) override { checked(::ftruncate(fd_.get(), to_offset(size))); }
  void sync() override { checked(::fsync(fd_.get())); }

 private:
  UniqueFd fd_;
};

// Opens `path` beneath the directory, and makes a file with `permissions` if the flags
// say so.
UniqueFd open_beneath(int directory, const std::string& path, int flags,
                      std::uint32_t permissions = 0) {
  open_how how{};
  how.flags = static_cast<std::uint64_t>(flags) | O_CLOEXEC;
  how.mode = permissions & kPermissions;
  how.resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_SYMLINKS;
  for (int i = 0; i < kTries; ++i) {
    const long fd = ::syscall(SYS_openat2, directory, path.c_str(), &how, sizeof(how));
    if (fd >= 0) return UniqueFd(static_cast<int>(fd));
    if (errno != EAGAIN && errno != EINTR) vfs_fail(errno);
  }
  vfs_fail(EAGAIN);
}

int flags_of(const VfsOpen& how) {
  int flags = how.read && how.write ? O_RDWR : how.write ? O_WRONLY : O_RDONLY;
  if (how.append) flags |= O_APPEND;
  return flags;
}

}  // namespace

class HostDirectory::Impl {
 public:
  Impl(UniqueFd directory, VfsAccess access) : directory_(std::move(directory)), access_(access) {}

  [[nodiscard]] int directory() const { return directory_.get(); }
  void check_writable() const {
    if (access_ == VfsAccess::kReadOnly) vfs_fail(EROFS);
  }

  // Opens what `path` names, beneath the directory.
  [[nodiscard]] UniqueFd open(const std::string& path, int flags) const {
    return open_beneath(directory_.get(), path == "/" ? "." : path.substr(1), flags);
  }

  // A name and the directory that it is in.
  struct Place {
    UniqueFd parent;
    std::string name;
  };
  [[nodiscard]] Place place(const std::string& path) const {
    const std::size_t slash = path.rfind('/');
    std::string name = path.substr(slash + 1);
    if (name.empty()) vfs_fail(EBUSY);  // the directory itself
    if (name == "." || name == "..") vfs_fail(EINVAL);
    return {open(slash == 0 ? "/" : path.substr(0, slash), O_PATH | O_DIRECTORY), std::move(name)};
  }

  [[nodiscard]] struct stat status(const std::string& path) const {
    struct stat found{};
    if (path == "/") {
      checked(::fstat(directory_.get(), &found));
      return found;
    }
    const Place at = place(path);
    checked(::fstatat(at.parent.get(), at.name.c_str(), &found, AT_SYMLINK_NOFOLLOW));
    return found;
  }

  // A regular file that `fd` was opened for.
  static std::unique_ptr<VfsFile> to_file(UniqueFd fd) {
    struct stat found{};
    checked(::fstat(fd.get(), &found));
    if (S_ISDIR(found.st_mode)) vfs_fail(EISDIR);
    if (!S_ISREG(found.st_mode)) vfs_fail(EINVAL);
    return std::make_unique<HostFile>(std::move(fd));
  }

 private:
  UniqueFd directory_;
  VfsAccess access_;
};

HostDirectory::HostDirectory(const std::filesystem::path& directory, VfsAccess access) {
  UniqueFd fd(::open(directory.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!fd.valid()) {
    const int os_error = errno;
    throw ApiError(
        os_error == ENOENT || os_error == ENOTDIR ? ApiErrorCode::kNotFound : ApiErrorCode::kFailed,
        directory.string() + ": " + std::generic_category().message(os_error), os_error);
  }
  impl_ = std::make_unique<Impl>(std::move(fd), access);
}

HostDirectory::~HostDirectory() = default;

VfsAttributes HostDirectory::attributes(const std::string& path) {
  return to_attributes(impl_->status(path));
}

std::vector<FileEntry> HostDirectory::list(const std::string& path) {
  UniqueFd fd = impl_->open(path, O_RDONLY | O_DIRECTORY);
  struct Close {
    void operator()(DIR* directory) const { ::closedir(directory); }
  };
  std::unique_ptr<DIR, Close> directory(::fdopendir(fd.get()));
  if (!directory) vfs_fail(errno);
  static_cast<void>(fd.release());
  std::vector<FileEntry> entries;
  while (true) {
    errno = 0;
    const dirent* entry = ::readdir(directory.get());
    if (entry == nullptr && errno != 0) vfs_fail(errno);
    if (entry == nullptr) return entries;
    const std::string name = entry->d_name;
    if (name == "." || name == "..") continue;
    mode_t mode = static_cast<mode_t>(DTTOIF(entry->d_type));
    struct stat found{};
    if (entry->d_type == DT_UNKNOWN &&
        ::fstatat(::dirfd(directory.get()), name.c_str(), &found, AT_SYMLINK_NOFOLLOW) == 0) {
      mode = found.st_mode;
    }
    if (type_of(mode) != FileType::kOther) entries.push_back({name, type_of(mode)});
  }
}

std::unique_ptr<VfsFile> HostDirectory::open(const std::string& path, const VfsOpen& how) {
  if (how.write || how.truncate) impl_->check_writable();
  // Not to wait for the other end of a pipe.
  auto file = Impl::to_file(impl_->open(path, flags_of(how) | O_NONBLOCK | O_NOCTTY));
  if (how.truncate) file->truncate(0);
  return file;
}

std::unique_ptr<VfsFile> HostDirectory::create(const std::string& path, std::uint32_t permissions,
                                               const VfsOpen& how) {
  impl_->check_writable();
  const auto at = impl_->place(path);
  return Impl::to_file(
      open_beneath(at.parent.get(), at.name, flags_of(how) | O_CREAT | O_EXCL, permissions));
}

void HostDirectory::make_directory(const std::string& path, std::uint32_t permissions) {
  impl_->check_writable();
  const auto at = impl_->place(path);
  checked(::mkdirat(at.parent.get(), at.name.c_str(), permissions & kPermissions));
}

void HostDirectory::remove_file(const std::string& path) {
  impl_->check_writable();
  const auto at = impl_->place(path);
  checked(::unlinkat(at.parent.get(), at.name.c_str(), 0));
}

void HostDirectory::remove_directory(const std::string& path) {
  impl_->check_writable();
  const auto at = impl_->place(path);
  checked(::unlinkat(at.parent.get(), at.name.c_str(), AT_REMOVEDIR));
}

void HostDirectory::rename(const std::string& from, const std::string& to, VfsRename mode) {
  impl_->check_writable();
  const auto source = impl_->place(from);
  const auto target = impl_->place(to);
  const unsigned flags = mode == VfsRename::kNoReplace  ? RENAME_NOREPLACE
                         : mode == VfsRename::kExchange ? RENAME_EXCHANGE
                                                        : 0U;
  checked(::renameat2(source.parent.get(), source.name.c_str(), target.parent.get(),
                      target.name.c_str(), flags));
}

void HostDirectory::change(const std::string& path, const VfsChanges& changes) {
  impl_->check_writable();
  if (changes.uid.value_or(0) != 0 || changes.gid.value_or(0) != 0) vfs_fail(EPERM);
  if (changes.size) open(path, {.read = false, .write = true})->truncate(*changes.size);
  if (changes.permissions) {
    // By the descriptor's own name, which leads to exactly what was opened.
    const UniqueFd fd = impl_->open(path, O_PATH);
    const std::string name = "/proc/self/fd/" + std::to_string(fd.get());
    checked(::fchmodat(AT_FDCWD, name.c_str(), *changes.permissions & kPermissions, 0));
  }
  if (changes.modified) {
    const std::array<timespec, 2> times = {timespec{.tv_sec = 0, .tv_nsec = UTIME_OMIT},
                                           to_timespec(*changes.modified)};
    if (path == "/") vfs_fail(EPERM);
    const auto at = impl_->place(path);
    checked(::utimensat(at.parent.get(), at.name.c_str(), times.data(), AT_SYMLINK_NOFOLLOW));
  }
}

std::string HostDirectory::read_link(const std::string& path) {
  const auto at = impl_->place(path);
  std::array<char, 4096> target;
  const ssize_t length =
      checked(::readlinkat(at.parent.get(), at.name.c_str(), target.data(), target.size()));
  return {target.data(), static_cast<std::size_t>(length)};
}

void HostDirectory::make_link(const std::string& path, const std::string& target) {
  impl_->check_writable();
  const auto at = impl_->place(path);
  checked(::symlinkat(target.c_str(), at.parent.get(), at.name.c_str()));
}

VfsUsage HostDirectory::usage() {
  struct statvfs found{};
  const UniqueFd fd = impl_->open("/", O_RDONLY | O_DIRECTORY);
  checked(::fstatvfs(fd.get(), &found));
  return {.total_bytes = std::uint64_t{found.f_blocks} * found.f_frsize,
          .free_bytes = std::uint64_t{found.f_bavail} * found.f_frsize};
}

}  // namespace gondolin
