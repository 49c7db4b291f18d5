// A file that content is written into, by each of the ways that wire::WriteMode names.
//
// The atomic way writes a file beside the one it replaces, ".NAME.gondolin-" and random
// digits, and gives it the name, owner and permissions at the end. A symbolic link stays
// and the file it leads to is replaced.
#pragma once

#include <string>

#include "base/bytes.hpp"
#include "base/unique_fd.hpp"
#include "guest/sandboxd/file_operations.hpp"
#include "wire/files.hpp"

namespace gondolin::guest {

// Unless finish() has succeeded, an atomic write is undone when this is destroyed.
class FileTarget {
 public:
  // EINVAL for what is no regular file, EISDIR for a directory.
  [[nodiscard]] static FileResult<FileTarget> open(const wire::WriteFile& request);

  FileTarget(FileTarget&& other) noexcept;
  FileTarget& operator=(FileTarget&&) = delete;
  ~FileTarget();

  // Writes all of it.
  [[nodiscard]] FileResult<void> write(Bytes bytes);
  // All has been written. Errors that the file system held back are told here.
  [[nodiscard]] FileResult<void> finish();

 private:
  explicit FileTarget(UniqueFd fd) : fd_(std::move(fd)) {}
  [[nodiscard]] static FileResult<FileTarget> open_beside(const wire::WriteFile& request);

  UniqueFd fd_;
  std::string temporary_;  // atomic: the path of the file that is written, until it is moved
  std::string final_;
};

}  // namespace gondolin::guest
