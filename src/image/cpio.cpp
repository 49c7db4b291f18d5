#include "image/cpio.hpp"

#include <sys/stat.h>

#include <iterator>
#include <limits>
#include <utility>

#include <fmt/format.h>

#include "base/check.hpp"

namespace gondolin::image {

void CpioWriter::add_directory(std::string_view path) {
  add_entry(path, S_IFDIR | 0755, 2, {});
  ++inode_;
}

void CpioWriter::add_file(std::string_view path, std::uint32_t permissions,
                          std::string_view content) {
  add_entry(path, S_IFREG | permissions, 1, content);
  ++inode_;
}

void CpioWriter::add_links(const std::vector<std::string>& paths, std::uint32_t permissions,
                           std::string_view content) {
  // The kernel links a name to the first of the same inode, which has the content.
  for (const std::string& path : paths)
    add_entry(path, S_IFREG | permissions, paths.size(), std::exchange(content, {}));
  ++inode_;
}

std::string CpioWriter::finish() {
  add_entry("TRAILER!!!", 0, 1, {});
  inode_ = 1;
  return std::exchange(archive_, {});
}

void CpioWriter::add_entry(std::string_view path, std::uint32_t mode, std::size_t links,
                           std::string_view content) {
  GONDOLIN_CHECK(content.size() <= std::numeric_limits<std::uint32_t>::max());
  // magic, inode, mode, uid, gid, links, mtime, size, device and rdevice (major,
  // minor), length of the name with its NUL, checksum
  fmt::format_to(
      std::back_inserter(archive_),
      "070701{:08x}{:08x}{:08x}{:08x}{:08x}{:08x}{:08x}{:08x}{:08x}{:08x}{:08x}{:08x}{:08x}",
      inode_, mode, 0, 0, links, 0, content.size(), 0, 0, 0, 0, path.size() + 1, 0);
  archive_ += path;
  archive_ += '\0';
  pad();
  archive_ += content;
  pad();
}

void CpioWriter::pad() {
  archive_.resize((archive_.size() + 3) / 4 * 4, '\0');
}

}  // namespace gondolin::image
