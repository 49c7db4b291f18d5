#include "image/files.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>

#include "base/unique_fd.hpp"

namespace gondolin::image {

namespace fs = std::filesystem;

Result<std::string> read_file(const fs::path& path) {
  UniqueFd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file.valid() && errno == ENOENT)
    return fail(ErrorCode::kNotFound, path.string() + " does not exist");
  struct stat information{};
  if (!file.valid() || ::fstat(file.get(), &information) != 0)
    return fail_errno(path.string(), errno);
  std::string content(static_cast<std::size_t>(information.st_size), '\0');
  std::size_t filled = 0;
  while (filled < content.size()) {
    const ssize_t count = ::read(file.get(), content.data() + filled, content.size() - filled);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return fail_errno(path.string(), errno);
    if (count == 0) break;
    filled += static_cast<std::size_t>(count);
  }
  content.resize(filled);
  return content;
}

Status create_file(const fs::path& path, std::string_view content) {
  UniqueFd file(::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
  if (!file.valid()) return fail_errno("creating " + path.string(), errno);
  while (!content.empty()) {
    const ssize_t count = ::write(file.get(), content.data(), content.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return fail_errno("writing " + path.string(), errno);
    content.remove_prefix(static_cast<std::size_t>(count));
  }
  if (::fsync(file.get()) != 0) return fail_errno("writing " + path.string(), errno);
  return {};
}

Status replace_file(const fs::path& path, std::string_view content) {
  const fs::path temporary = path.parent_path() / ("." + path.filename().string());
  if (auto removed = remove_tree(temporary); !removed) return removed;
  if (auto created = create_file(temporary, content); !created) return created;
  return move_file(temporary, path);
}

Status make_private_directory(const fs::path& path) {
  if (::mkdir(path.c_str(), 0700) == 0 || errno == EEXIST) return {};
  if (errno != ENOENT || !path.has_parent_path())
    return fail_errno("making " + path.string(), errno);
  if (auto made = make_private_directory(path.parent_path()); !made) return made;
  if (::mkdir(path.c_str(), 0700) == 0 || errno == EEXIST) return {};
  return fail_errno("making " + path.string(), errno);
}

Status sync_path(const fs::path& path) {
  UniqueFd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file.valid() || ::fsync(file.get()) != 0)
    return fail_errno("flushing " + path.string(), errno);
  return {};
}

Status move_file(const fs::path& from, const fs::path& to) {
  if (::rename(from.c_str(), to.c_str()) != 0)
    return fail_errno("renaming " + from.string() + " to " + to.string(), errno);
  if (from.parent_path() != to.parent_path())
    if (auto synced = sync_path(from.parent_path()); !synced) return synced;
  return sync_path(to.parent_path());
}

Status remove_tree(const fs::path& path) {
  std::error_code error;
  fs::remove_all(path, error);
  if (error) return fail_errno("removing " + path.string(), error.value());
  return {};
}

}  // namespace gondolin::image
