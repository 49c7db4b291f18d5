// The archive format of an initramfs ("newc", Documentation/driver-api/early-
// userspace/buffer-format.rst of Linux). The same entries give the same bytes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace gondolin::image {

// Collects entries, all owned by root and without a time. The kernel wants a
// directory before what is in it. Archives may follow each other in one
// initramfs; each is a multiple of four bytes long.
class CpioWriter {
 public:
  // Paths have no leading slash.
  void add_directory(std::string_view path);
  // `permissions` as in chmod(2).
  void add_file(std::string_view path, std::uint32_t permissions, std::string_view content);
  // One file with several names, hard links.
  void add_links(const std::vector<std::string>& paths, std::uint32_t permissions,
                 std::string_view content);

  // Ends the archive and gives it up; the writer is empty afterwards.
  [[nodiscard]] std::string finish();

 private:
  void add_entry(std::string_view path, std::uint32_t mode, std::size_t links,
                 std::string_view content);
  void pad();

  std::string archive_;
  std::uint32_t inode_ = 1;  // of the next entry
};

}  // namespace gondolin::image
