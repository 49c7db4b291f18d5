#include "guest/sandboxd/file_operations.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <memory>
#include <string_view>
#include <utility>

namespace gondolin::guest {
namespace {

// The names of one batch; with their lengths and kinds they fit a message.
constexpr std::size_t kBatchBytes = wire::kMaxFileMessage / 2;

wire::FileKind kind_of(mode_t mode) {
  if (S_ISREG(mode)) return wire::FileKind::kFile;
  if (S_ISDIR(mode)) return wire::FileKind::kDirectory;
  if (S_ISLNK(mode)) return wire::FileKind::kSymlink;
  return wire::FileKind::kOther;
}

wire::FileStatus to_status(const struct stat& found) {
  auto nanoseconds = std::int64_t{found.st_mtim.tv_sec} * 1'000'000'000 + found.st_mtim.tv_nsec;
  return {.kind = kind_of(found.st_mode),
          .permissions = found.st_mode & wire::kPermissionBits,
          .uid = found.st_uid,
          .gid = found.st_gid,
          .size = static_cast<std::uint64_t>(found.st_size),
          .modified_ns = static_cast<std::uint64_t>(nanoseconds)};
}

struct CloseDirectory {
  void operator()(DIR* directory) const { ::closedir(directory); }
};
using Directory = std::unique_ptr<DIR, CloseDirectory>;

// Takes the descriptor over.
FileResult<Directory> as_directory(UniqueFd fd) {
  Directory directory(::fdopendir(fd.get()));
  if (!directory) return last_error();
  static_cast<void>(fd.release());
  return directory;
}

// The next entry but "." and ".."; null at the end.
FileResult<const dirent*> next_entry(DIR* directory) {
  while (true) {
    errno = 0;
    const dirent* entry = ::readdir(directory);
    if (entry == nullptr && errno != 0) return last_error();
    if (entry == nullptr) return nullptr;
    std::string_view name = entry->d_name;
    if (name != "." && name != "..") return entry;
  }
}

wire::FileKind kind_of(DIR* directory, const dirent& entry) {
  if (entry.d_type != DT_UNKNOWN) return kind_of(static_cast<mode_t>(DTTOIF(entry.d_type)));
  struct stat found{};
  if (::fstatat(::dirfd(directory), entry.d_name, &found, AT_SYMLINK_NOFOLLOW) != 0) {
    return wire::FileKind::kOther;
  }
  return kind_of(found.st_mode);
}

std::string without_trailing_slashes(std::string_view path) {
  while (path.size() > 1 && path.back() == '/')
    path.remove_suffix(1);
  return std::string(path);
}

}  // namespace

tl::unexpected<FileError> file_error(int os_error) {
  return tl::unexpected(FileError{os_error});
}

tl::unexpected<FileError> last_error() {
  return file_error(errno);
}

FileResult<OpenedFile> open_for_reading(const std::string& path) {
  // Not to wait for the other end of a pipe, nor to become a terminal's session.
  UniqueFd fd(::open(path.c_str(), O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC));
  if (!fd.valid()) return last_error();
  struct stat found{};
  if (::fstat(fd.get(), &found) != 0) return last_error();
  if (S_ISDIR(found.st_mode)) return file_error(EISDIR);
  if (!S_ISREG(found.st_mode)) return file_error(EINVAL);
  return OpenedFile{std::move(fd), to_status(found)};
}

FileResult<wire::FileStatus> file_status(const wire::StatFile& request) {
  int flags = request.link == wire::LastLink::kItself ? AT_SYMLINK_NOFOLLOW : 0;
  struct stat found{};
  if (::fstatat(AT_FDCWD, request.path.c_str(), &found, flags) != 0) return last_error();
  wire::FileStatus status = to_status(found);
  if (status.kind != wire::FileKind::kSymlink) return status;
  std::array<char, wire::kMaxPath> target;
  ssize_t length = ::readlink(request.path.c_str(), target.data(), target.size());
  if (length < 0) return last_error();
  status.link_target.assign(target.data(), static_cast<std::size_t>(length));
  return status;
}

FileResult<void> list_directory(
    const std::string& path,
    const std::function<FileResult<void>(const wire::DirectoryEntries&)>& give) {
  UniqueFd fd(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd.valid()) return last_error();
  auto directory = as_directory(std::move(fd));
  if (!directory) return tl::unexpected(directory.error());
  wire::DirectoryEntries batch;
  std::size_t size = 0;
  while (true) {
    auto entry = next_entry(directory->get());
    if (!entry) return tl::unexpected(entry.error());
    if (*entry == nullptr) break;
    batch.entries.push_back({(*entry)->d_name, kind_of(directory->get(), **entry)});
    size += batch.entries.back().name.size() + 5;
    if (size < kBatchBytes) continue;
    if (auto given = give(batch); !given) return given;
    batch.entries.clear();
    size = 0;
  }
  if (batch.entries.empty()) return {};
  return give(batch);
}

// --- directories and names -------------------------------------------------------

FileResult<void> make_directory(const wire::MakeDirectory& request) {
  if (request.parents == wire::Parents::kMustExist) {
    if (::mkdir(request.path.c_str(), request.permissions) != 0) return last_error();
    return {};
  }
  const std::string path = without_trailing_slashes(request.path);
  for (std::size_t end = 1; end != path.npos;) {
    end = path.find('/', end + 1);
    const std::string part = path.substr(0, end);
    const mode_t permissions = end == path.npos ? request.permissions : 0755;
    if (::mkdir(part.c_str(), permissions) == 0) continue;
    const int os_error = errno;
    // A parent that cannot be written may be there all the same.
    struct stat found{};
    if (::stat(part.c_str(), &found) != 0) return file_error(os_error);
    if (!S_ISDIR(found.st_mode)) return file_error(end == path.npos ? EEXIST : ENOTDIR);
  }
  return {};
}

FileResult<void> rename_file(const wire::RenameFile& request) {
  const unsigned flags = request.existing == wire::Existing::kKeep ? RENAME_NOREPLACE : 0;
  if (::renameat2(AT_FDCWD, request.from.c_str(), AT_FDCWD, request.to.c_str(), flags) != 0) {
    return last_error();
  }
  return {};
}

// --- removing ------------------------------------------------------------------------

namespace {

// The directory `name` of `parent`, if it is one, of the same file system.
FileResult<Directory> open_inside(int parent, const char* name) {
  open_how how{};
  how.flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
  how.resolve = RESOLVE_NO_XDEV | RESOLVE_NO_MAGICLINKS;
  UniqueFd fd(static_cast<int>(::syscall(SYS_openat2, parent, name, &how, sizeof(how))));
  if (!fd.valid()) return file_error(errno == EXDEV ? EBUSY : errno);
  return as_directory(std::move(fd));
}

// Empties `top` from the leaves on. What others remove meanwhile is gone as well.
FileResult<void> empty_directory(Directory top) {
  struct Level {
    Directory directory;
    std::string name;      // in the level above
    bool changed = false;  // since reading began: some file systems then pass entries over
  };
  std::vector<Level> levels;
  levels.push_back({std::move(top), {}});
  while (true) {
    DIR* directory = levels.back().directory.get();
    auto entry = next_entry(directory);
    if (!entry) return tl::unexpected(entry.error());
    if (*entry != nullptr) {
      const std::string name = (*entry)->d_name;
      levels.back().changed = true;
      if (::unlinkat(::dirfd(directory), name.c_str(), 0) == 0 || errno == ENOENT) continue;
      if (errno != EISDIR && errno != EPERM) return last_error();
      const int os_error = errno;
      auto below = open_inside(::dirfd(directory), name.c_str());
      if (!below && below.error() == FileError{ENOENT}) continue;
      // It is no directory, so the first answer was about itself.
      if (!below && below.error() == FileError{ENOTDIR}) return file_error(os_error);
      if (!below) return tl::unexpected(below.error());
      levels.push_back({std::move(*below), name});
      continue;
    }
    if (std::exchange(levels.back().changed, false)) {
      ::rewinddir(directory);
      continue;
    }
    const std::string name = levels.back().name;
    levels.pop_back();
    if (levels.empty()) return {};
    DIR* above = levels.back().directory.get();
    if (::unlinkat(::dirfd(above), name.c_str(), AT_REMOVEDIR) != 0 && errno != ENOENT) {
      return last_error();
    }
  }
}

FileResult<void> remove_tree(const std::string& path, const struct stat& found) {
  struct stat root{};
  if (::stat("/", &root) != 0) return last_error();
  if (root.st_dev == found.st_dev && root.st_ino == found.st_ino) return file_error(EBUSY);
  const std::size_t slash = path.rfind('/');
  UniqueFd parent(::open(path.substr(0, slash + 1).c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!parent.valid()) return last_error();
  const std::string name = path.substr(slash + 1);
  auto directory = open_inside(parent.get(), name.c_str());
  if (!directory) return tl::unexpected(directory.error());
  if (auto emptied = empty_directory(std::move(*directory)); !emptied) return emptied;
  if (::unlinkat(parent.get(), name.c_str(), AT_REMOVEDIR) != 0) return last_error();
  return {};
}

}  // namespace

FileResult<void> remove_file(const wire::RemoveFile& request) {
  const std::string path = without_trailing_slashes(request.path);
  const std::string_view last = std::string_view(path).substr(path.rfind('/') + 1);
  if (last.empty()) return file_error(EBUSY);
  if (last == "." || last == "..") return file_error(EINVAL);
  struct stat found{};
  if (::lstat(path.c_str(), &found) != 0) return last_error();
  if (S_ISDIR(found.st_mode) && request.depth == wire::Depth::kTree) {
    return remove_tree(path, found);
  }
  const int done = S_ISDIR(found.st_mode) ? ::rmdir(path.c_str()) : ::unlink(path.c_str());
  if (done != 0) return last_error();
  return {};
}

}  // namespace gondolin::guest
