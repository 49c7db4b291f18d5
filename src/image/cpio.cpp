#include "image/cpio.hpp"

#include <sys/stat.h>

#include <iterator>
#include <limits>
#include <utility>

#include <fmt/format.h>

#include "base/check.hpp"

namespace gondolin::image {

void CpioWriter::add_directory(std::string_view path) {
  add_entry(path, S_IFDIR | 0755, {});
}

void CpioWriter::add_file(std::string_view path, std::uint32_t permissions,
                          std::string_view content) {
  add_entry(path, S_IFREG | permissions, content);
}

std::string CpioWriter::finish() {
  add_entry("TRAILER!!!", 0, {});
  next_inode_ = 1;
  return std::exchange(archive_, {});
}

void CpioWriter::add_entry(std::string_view path, std::uint32_t mode, std::string_view content) {
  GONDOLIN_CHECK(content.size() <= std::numeric_limits<std::uint32_t>::max());
  const std::uint32_t links = S_ISDIR(mode) ? 2 : 1;
  // magic, inode, mode, uid, gid, links, mtime, size, device and rdevice (major,
  // minor), length of the name with its NUL, checksum
  fmt::format_to(
      std::back_inserter(archive_),
      "070701{:08x}{:08x}{:08x}{:08x}{:08x}{:08x}{:08x}{:08x}{:08x}{:08x}{:08x}{:08x}{:08x}",
      next_inode_++, mode, 0, 0, links, 0, content.size(), 0, 0, 0, 0, path.size() + 1, 0);
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
