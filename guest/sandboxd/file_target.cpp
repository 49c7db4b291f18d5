#include "guest/sandboxd/file_target.hpp"

#include <fcntl.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string_view>
#include <utility>

namespace gondolin::guest {
namespace {

constexpr mode_t kNewFile = 0644;

int flags_of(wire::WriteMode mode) {
  switch (mode) {
    case wire::WriteMode::kCreate:
      return O_CREAT | O_EXCL;
    case wire::WriteMode::kAppend:
      return O_CREAT | O_APPEND;
    case wire::WriteMode::kReplace:
    case wire::WriteMode::kAtomic:
      break;
  }
  return O_CREAT | O_TRUNC;
}

// The path without symbolic links, if there is something; itself otherwise.
std::string resolved(const std::string& path) {
  std::unique_ptr<char, decltype(&std::free)> real(::realpath(path.c_str(), nullptr), &std::free);
  return real ? std::string(real.get()) : path;
}

std::string temporary_path(std::string_view path) {
  const std::size_t slash = path.rfind('/');
  std::uint64_t digits = 0;
  static_cast<void>(::getrandom(&digits, sizeof(digits), GRND_NONBLOCK));
  std::array<char, 32> suffix;
  const int length = std::snprintf(suffix.data(), suffix.size(), ".gondolin-%016llx",
                                   static_cast<unsigned long long>(digits));
  const std::size_t room = wire::kMaxName - 1 - static_cast<std::size_t>(length);
  return std::string(path.substr(0, slash + 1)) + "." +
         std::string(path.substr(slash + 1).substr(0, room)) + suffix.data();
}

}  // namespace

FileTarget::FileTarget(FileTarget&& other) noexcept
    : fd_(std::move(other.fd_)),
      temporary_(std::exchange(other.temporary_, {})),
      final_(std::move(other.final_)) {}

FileTarget::~FileTarget() {
  if (!temporary_.empty()) ::unlink(temporary_.c_str());
}

FileResult<FileTarget> FileTarget::open(const wire::WriteFile& request) {
  if (request.mode == wire::WriteMode::kAtomic) return open_beside(request);
  // Not to wait for a pipe's other end. O_TRUNC leaves what is no file as it is.
  const int flags = O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC | flags_of(request.mode);
  UniqueFd fd(::open(request.path.c_str(), flags, request.permissions.value_or(kNewFile)));
  if (!fd.valid()) return file_error(errno == ENXIO ? EINVAL : errno);
  struct stat found{};
  if (::fstat(fd.get(), &found) != 0) return last_error();
  if (!S_ISREG(found.st_mode)) return file_error(EINVAL);
  return FileTarget(std::move(fd));
}

FileResult<FileTarget> FileTarget::open_beside(const wire::WriteFile& request) {
  std::string path = resolved(request.path);
  struct stat replaced{};
  const bool exists = ::lstat(path.c_str(), &replaced) == 0;
  if (!exists && errno != ENOENT) return last_error();
  if (exists && S_ISDIR(replaced.st_mode)) return file_error(EISDIR);
  // A symbolic link that is still one leads nowhere.
  if (exists && S_ISLNK(replaced.st_mode)) return file_error(ENOENT);
  if (exists && !S_ISREG(replaced.st_mode)) return file_error(EINVAL);
  if (path.ends_with('/')) return file_error(EISDIR);

  std::string temporary = temporary_path(path);
  UniqueFd fd(::open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
  if (!fd.valid()) return last_error();
  FileTarget target(std::move(fd));
  target.temporary_ = std::move(temporary);
  target.final_ = std::move(path);
  // A file system that has no owners refuses this only when something would change.
  if (exists && ::fchown(target.fd_.get(), replaced.st_uid, replaced.st_gid) != 0) {
    return last_error();
  }
  const mode_t kept = exists ? replaced.st_mode & wire::kPermissionBits : kNewFile;
  if (::fchmod(target.fd_.get(), request.permissions.value_or(kept)) != 0) return last_error();
  return target;
}

FileResult<void> FileTarget::write(Bytes bytes) {
  while (!bytes.empty()) {
    const ssize_t count = ::write(fd_.get(), bytes.data(), bytes.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return last_error();
    bytes = bytes.subspan(static_cast<std::size_t>(count));
  }
  return {};
}

FileResult<void> FileTarget::finish() {
  if (::close(fd_.release()) != 0) return last_error();
  if (temporary_.empty()) return {};
  if (::rename(temporary_.c_str(), final_.c_str()) != 0) return last_error();
  temporary_.clear();
  return {};
}

}  // namespace gondolin::guest
