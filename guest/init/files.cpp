#include "guest/init/files.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "base/unique_fd.hpp"

namespace gondolin::init {

Result<std::string> read_file(const char* path) {
  UniqueFd file(::open(path, O_RDONLY | O_CLOEXEC));
  if (!file.valid()) return fail_errno(path, errno);
  std::string content;
  char buffer[4096];
  for (;;) {
    const ssize_t count = ::read(file.get(), buffer, sizeof buffer);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return fail_errno(path, errno);
    if (count == 0) return content;
    content.append(buffer, static_cast<std::size_t>(count));
  }
}

Status write_file(const char* path, std::string_view content) {
  UniqueFd file(::open(path, O_WRONLY | O_CLOEXEC));
  if (!file.valid()) return fail_errno(path, errno);
  if (::write(file.get(), content.data(), content.size()) < 0) return fail_errno(path, errno);
  return {};
}

Status make_directory(const char* path) {
  if (::mkdir(path, 0755) != 0 && errno != EEXIST) return fail_errno(path, errno);
  return {};
}

}  // namespace gondolin::init
