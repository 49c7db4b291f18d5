// The files inside a guest, from the host: GuestFs is what Vm::fs() gives.
//
// Paths are absolute ("/root/app.js"); others are refused with kInvalidArgument, as is
// one with a NUL byte or of more than 4,095 bytes. They are resolved in the guest, by its
// kernel, as root: ".." and symbolic links mean there what they mean to a program, and
// nothing outside the guest can be reached. Names and content are any bytes. Links are
// followed except where a function says that it takes the link itself.
//
// Every function blocks until it is done and may be called from any thread, several at
// once, but for those whose name begins with "async_" (see async.hpp), which do the same
// without blocking. Errors are ApiError, with the guest's errno in os_error():
// kNotFound for ENOENT and ENOTDIR, kInvalidArgument for a path that cannot be (ELOOP,
// ENAMETOOLONG, and EINVAL for what is no regular file), kFailed for the others (EEXIST,
// ENOTEMPTY, EISDIR, EACCES, ENOSPC, …), kTimeout when the guest is silent for a minute,
// kCancelled when the VM is closed, kFailed without an errno when the guest is dead.
//
// Each call costs a small process in the guest. Content is never held whole on its way:
// 64 KiB at most wait in the guest, and as much in the host.
//
// Standard library only.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "gondolin/async.hpp"
#include "gondolin/export.hpp"

namespace gondolin {

// What a name stands for.
enum class FileType {
  kFile,
  kDirectory,
  kSymlink,
  kOther,  // a device, a pipe, a socket
};

// What is known of a file, a directory or a link.
struct FileInfo {
  FileType type = FileType::kFile;  // what it is
  std::uint32_t permissions = 0;    // as chmod takes them: 0644, with 04000 and so on
  std::uint32_t uid = 0;            // the owner
  std::uint32_t gid = 0;            // the group
  std::uint64_t size = 0;           // bytes
  std::chrono::sys_time<std::chrono::nanoseconds> modified{};  // its content, last
  std::string link_target{};                                   // of kSymlink: what is written in it
};

// One name in a directory.
struct FileEntry {
  std::string name;                 // any bytes but "/" and NUL
  FileType type = FileType::kFile;  // what it stands for, of a link the link itself

  bool operator==(const FileEntry&) const = default;
};

// Whether stat() looks at what a symbolic link leads to, or at the link.
enum class SymlinkMode { kFollow, kItself };

// What to read of a file.
struct FileReadOptions {
  std::uint64_t offset = 0;               // where to begin, in bytes
  std::optional<std::uint64_t> length{};  // bytes to read at most; none is to the end
  // GuestFs::read() fails, with EFBIG, rather than return more than this. A reader has no
  // such bound.
  std::size_t max_bytes = 64 * 1024 * 1024;
};

// What writing does to a file that exists, and to its readers.
enum class FileWriteMode {
  kReplace,  // empties it first; a reader may see it half written
  kCreate,   // fails with EEXIST
  kAppend,   // adds to its end
  // Writes another file in the same directory, ".NAME.gondolin-…", which takes the name in
  // the end, with the old one's owner and permissions. A reader sees the old content or
  // the new, and a write that does not come to its end changes nothing. Hard links to the
  // old file keep the old content; a symbolic link stays one.
  kAtomic,
};

// How to write a file.
struct FileWriteOptions {
  FileWriteMode mode = FileWriteMode::kReplace;  // what it does to a file that exists
  // Of a file that is made, exactly (no umask); 0644 if not given. For kAtomic also of one
  // that is replaced.
  std::optional<std::uint32_t> permissions{};
};

// How to make a directory.
struct MakeDirectoryOptions {
  // Makes what is missing above it too, with 0755, and takes one that exists for success.
  bool recursive = false;
  std::uint32_t permissions = 0755;  // exactly, no umask
};

// How to rename.
struct RenameOptions {
  bool replace = true;  // false: EEXIST when there is something by the new name
};

// What to remove, and what not.
struct RemoveOptions {
  // A directory is removed with all that is in it. Links in it are removed, not followed;
  // it stops with EBUSY at what something is mounted on, and "/" itself stays.
  bool recursive = false;
  bool must_exist = true;  // false: nothing there is success
};

// A file of the guest that is being read, as it comes. Destroying it ends the reading.
//
// Any thread may call; a second read while one is in progress fails with kInvalidArgument.
// It may be destroyed while an asynchronous read is in progress, but not while a
// blocking one is.
class GONDOLIN_API FileReader {
 public:
  // What is behind it; the library's own business.
  class Impl;

  FileReader(FileReader&&) noexcept;
  FileReader& operator=(FileReader&&) noexcept;
  ~FileReader();

  // What the file was when it was opened.
  [[nodiscard]] const FileInfo& info() const;

  // Reads at least one byte into `buffer`, which is not empty, and returns how many; 0 at
  // the end.
  std::size_t read(std::span<std::byte> buffer);
  // Reads 1 to `max` bytes; an empty string is the end. At most 1 MiB is read at once.
  void async_read(std::size_t max, Completion<std::string> done);

 private:
  explicit FileReader(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

// A file of the guest that is being written. Destroying it before finish() has returned
// leaves the content as far as it came, or with kAtomic the old content.
//
// Any thread may call; a second call while one is in progress fails with kInvalidArgument.
// It may be destroyed while an asynchronous call is in progress, but not while a blocking
// one is.
class GONDOLIN_API FileWriter {
 public:
  // What is behind it; the library's own business.
  class Impl;

  FileWriter(FileWriter&&) noexcept;
  FileWriter& operator=(FileWriter&&) noexcept;
  ~FileWriter();

  // Returns when all bytes are on their way to the guest. What goes wrong there may be
  // told by a later call.
  void write(std::span<const std::byte> bytes);
  // The same.
  void async_write(std::string bytes, Completion<void> done);

  // Returns when the guest's file system has taken everything and the file is closed.
  // Nothing may be called after it.
  void finish();
  // The same.
  void async_finish(Completion<void> done);

 private:
  explicit FileWriter(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

// The files of one VM. Cheap to copy; may outlive the Vm, whose end makes every call fail
// with kCancelled.
class GONDOLIN_API GuestFs {
 public:
  // The content of a regular file, whole or the piece that is asked for. EINVAL for a
  // device or a pipe, which may have no end.
  [[nodiscard]] std::string read(const std::string& path, const FileReadOptions& options = {});
  // The same.
  void async_read(std::string path, FileReadOptions options, Completion<std::string> done);

  // Opens a regular file to read it piece by piece.
  [[nodiscard]] FileReader open_reader(const std::string& path,
                                       const FileReadOptions& options = {});
  // The same.
  void async_open_reader(std::string path, FileReadOptions options, Completion<FileReader> done);

  // Makes `content` the content of a regular file, or adds it. Its directory must exist.
  void write(const std::string& path, std::string_view content,
             const FileWriteOptions& options = {});
  // The same.
  void async_write(std::string path, std::string content, FileWriteOptions options,
                   Completion<void> done);

  // Begins to write a regular file piece by piece. What is wrong with the path may be told
  // by the writer's first calls.
  [[nodiscard]] FileWriter open_writer(const std::string& path,
                                       const FileWriteOptions& options = {});
  // The same.
  void async_open_writer(std::string path, FileWriteOptions options, Completion<FileWriter> done);

  // The names in a directory, sorted by their bytes, without "." and "..". kFailed for more
  // than a million.
  [[nodiscard]] std::vector<FileEntry> list(const std::string& path);
  // The same.
  void async_list(std::string path, Completion<std::vector<FileEntry>> done);

  // What there is by a name.
  [[nodiscard]] FileInfo stat(const std::string& path, SymlinkMode link = SymlinkMode::kFollow);
  // The same.
  void async_stat(std::string path, SymlinkMode link, Completion<FileInfo> done);

  // Makes a directory.
  void make_directory(const std::string& path, const MakeDirectoryOptions& options = {});
  // The same.
  void async_make_directory(std::string path, MakeDirectoryOptions options, Completion<void> done);

  // Gives a file, a directory or a link another name, as rename(2): on one file system
  // (EXDEV), at once, in place of a file or an empty directory of that name.
  void rename(const std::string& from, const std::string& to, const RenameOptions& options = {});
  // The same.
  void async_rename(std::string from, std::string to, RenameOptions options, Completion<void> done);

  // Removes a file, a link itself, or a directory.
  void remove(const std::string& path, const RemoveOptions& options = {});
  // The same.
  void async_remove(std::string path, RemoveOptions options, Completion<void> done);

 private:
  friend class Vm;
  class Impl;
  explicit GuestFs(std::shared_ptr<Impl> impl);
  std::shared_ptr<Impl> impl_;
};

}  // namespace gondolin
