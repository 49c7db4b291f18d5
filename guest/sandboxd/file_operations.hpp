// What the host may ask of files, as calls of the system. They block; file_service.hpp
// has them run in a process of their own.
//
// Paths are absolute and resolved as for any program that runs as root. Every function
// returns an errno, or what it is asked for.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include <tl/expected.hpp>

#include "base/unique_fd.hpp"
#include "wire/files.hpp"

namespace gondolin::guest {

enum class FileError : int {};  // an errno

template <typename T>
using FileResult = tl::expected<T, FileError>;

// errno as a failure.
[[nodiscard]] tl::unexpected<FileError> last_error();
[[nodiscard]] tl::unexpected<FileError> file_error(int os_error);

// Opens a regular file for reading and says what it is. EISDIR for a directory, EINVAL
// for what is no file (a device, a pipe): those may never end.
struct OpenedFile {
  UniqueFd fd;
  wire::FileStatus status;
};
[[nodiscard]] FileResult<OpenedFile> open_for_reading(const std::string& path);

[[nodiscard]] FileResult<wire::FileStatus> file_status(const wire::StatFile& request);

// Gives the entries out, "." and ".." not among them, in batches that fit a message.
[[nodiscard]] FileResult<void> list_directory(
    const std::string& path,
    const std::function<FileResult<void>(const wire::DirectoryEntries&)>& give);

[[nodiscard]] FileResult<void> make_directory(const wire::MakeDirectory& request);
[[nodiscard]] FileResult<void> rename_file(const wire::RenameFile& request);

// Never follows a symbolic link that is to be removed, nor leaves the file system of
// the directory: EBUSY for what something is mounted on, and for "/". EINVAL for a
// path that ends in "." or "..".
[[nodiscard]] FileResult<void> remove_file(const wire::RemoveFile& request);

}  // namespace gondolin::guest
