// Directories of a guest that the host provides: VmOptions::mounts puts a VfsProvider at a
// path of the guest. See docs/filesystem.md.
//
// A provider names files by paths within it: "/" is its root, "/a/b" what is below; never
// "." or "..", nor an empty name, nor a name of more than 255 or a path of more than 4,095
// bytes. Names are any bytes but "/" and NUL: the guest chooses them, and is not to be
// trusted with them. Symbolic links are followed by the guest's kernel, in the guest; a
// provider is only asked what is written in them, and must not follow any itself.
//
// What fails throws std::system_error whose code's value is an errno, which the guest's
// program gets: vfs_fail(ENOENT). Anything else that is thrown is EIO there, and a line of
// the debug log (topic "vfs").
//
// All calls for one mount come from one thread of its own, one at a time, and may block:
// only that mount waits. They may come until the last VM that has the provider is gone.
//
// Standard library only.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "gondolin/export.hpp"
#include "gondolin/fs.hpp"

namespace gondolin {

// Throws the std::system_error for an errno.
[[noreturn]] GONDOLIN_API void vfs_fail(int os_error);

// A time of a file.
using VfsTime = std::chrono::sys_time<std::chrono::nanoseconds>;

// What a provider says of a file, directory or link of its own. kOther is shown as if it
// were not there.
struct VfsAttributes {
  FileType type = FileType::kFile;   // what it is
  std::uint32_t permissions = 0644;  // the guest's kernel enforces them
  std::uint32_t uid = 0;             // the owner, in the guest
  std::uint32_t gid = 0;             // the group, in the guest
  std::uint64_t size = 0;            // bytes
  VfsTime modified{};                // its content, last
};

// What to change; an absent member stays as it is.
struct VfsChanges {
  std::optional<std::uint32_t> permissions{};  // chmod(2)
  std::optional<std::uint32_t> uid{};          // chown(2)
  std::optional<std::uint32_t> gid{};          // chown(2)
  std::optional<std::uint64_t> size{};         // truncate(2)
  std::optional<VfsTime> modified{};           // utimensat(2)
};

// How a file is to be opened.
struct VfsOpen {
  bool read = true;       // for reading
  bool write = false;     // for writing
  bool truncate = false;  // empty it first; only with write
  bool append = false;    // each write goes to the end, whatever its offset
};

// Of a rename onto a name that is in use.
enum class VfsRename { kReplace, kNoReplace, kExchange };

// Of statfs(2), as df shows it.
struct VfsUsage {
  std::uint64_t total_bytes = 0;  // there are
  std::uint64_t free_bytes = 0;   // of these, not in use
};

// A file that the guest has open. It stays usable when its name is changed or removed.
// Destroyed when the guest has closed it for good.
class GONDOLIN_API VfsFile {
 public:
  VfsFile() = default;
  VfsFile(const VfsFile&) = delete;
  VfsFile& operator=(const VfsFile&) = delete;
  virtual ~VfsFile();

  // What it is now, whatever it is called.
  virtual VfsAttributes attributes() = 0;
  // Reads into `buffer`, at most 64 KiB, and returns how much; less than all of it only at
  // the end of the file.
  virtual std::size_t read(std::uint64_t offset, std::span<std::byte> buffer) = 0;
  // Writes all of `bytes`, at most 64 KiB, or returns how much it took. EROFS by default.
  virtual std::size_t write(std::uint64_t offset, std::span<const std::byte> bytes);
  // Cuts or extends it with zeros. EROFS by default.
  virtual void truncate(std::uint64_t size);
  // A program closed one of its descriptors: what fails here fails its close(2).
  virtual void flush() {}
  // fsync(2).
  virtual void sync() {}
};

// A file system. Those who only read implement attributes(), list() and open(); the rest
// says EROFS by default.
class GONDOLIN_API VfsProvider {
 public:
  VfsProvider() = default;
  VfsProvider(const VfsProvider&) = delete;
  VfsProvider& operator=(const VfsProvider&) = delete;
  virtual ~VfsProvider();

  // What there is by that name, of a symbolic link itself; ENOENT for nothing. This
  // answers the guest's lookups.
  virtual VfsAttributes attributes(const std::string& path) = 0;
  // The names in a directory, without "." and "..".
  virtual std::vector<FileEntry> list(const std::string& path) = 0;
  // Opens a file that exists. ELOOP for a symbolic link, EISDIR for a directory.
  virtual std::unique_ptr<VfsFile> open(const std::string& path, const VfsOpen& how) = 0;
  // Makes a file and opens it; EEXIST when there is something.
  virtual std::unique_ptr<VfsFile> create(const std::string& path, std::uint32_t permissions,
                                          const VfsOpen& how);
  // Makes a directory.
  virtual void make_directory(const std::string& path, std::uint32_t permissions);
  // Removes a file or a link, never a directory.
  virtual void remove_file(const std::string& path);
  // Removes an empty directory: ENOTEMPTY for another.
  virtual void remove_directory(const std::string& path);
  // Renames, as renameat2(2). `to` is never below `from`.
  virtual void rename(const std::string& from, const std::string& to, VfsRename mode);
  // Changes attributes of what has that name, never of what a link leads to.
  virtual void change(const std::string& path, const VfsChanges& changes);
  // What is written in a symbolic link. EINVAL by default.
  virtual std::string read_link(const std::string& path);
  // Makes a symbolic link. EPERM by default.
  virtual void make_link(const std::string& path, const std::string& target);
  // How full it is. By default nothing is known.
  virtual VfsUsage usage();
};

// Whether the guest may change what it sees.
enum class VfsAccess { kReadWrite, kReadOnly };

// Files in memory, which host and guest share: a provider for programs that generate what
// the guest sees, and for tests. Safe to use from any thread.
class GONDOLIN_API MemoryProvider : public VfsProvider {
 public:
  // At most `max_bytes` of content, and `max_files` files and directories; more is ENOSPC.
  explicit MemoryProvider(std::size_t max_bytes = 64 * 1024 * 1024, std::size_t max_files = 10'000);
  ~MemoryProvider() override;

  // --- for the host ---
  // Makes a file with this content, or replaces it, with the directories above it.
  void put(const std::string& path, std::string content, std::uint32_t permissions = 0644);
  // The content of a file; ENOENT when there is none.
  [[nodiscard]] std::string get(const std::string& path);

  // --- as VfsProvider says ---
  VfsAttributes attributes(const std::string& path) override;
  std::vector<FileEntry> list(const std::string& path) override;
  std::unique_ptr<VfsFile> open(const std::string& path, const VfsOpen& how) override;
  std::unique_ptr<VfsFile> create(const std::string& path, std::uint32_t permissions,
                                  const VfsOpen& how) override;
  void make_directory(const std::string& path, std::uint32_t permissions) override;
  void remove_file(const std::string& path) override;
  void remove_directory(const std::string& path) override;
  void rename(const std::string& from, const std::string& to, VfsRename mode) override;
  void change(const std::string& path, const VfsChanges& changes) override;
  std::string read_link(const std::string& path) override;
  void make_link(const std::string& path, const std::string& target) override;
  VfsUsage usage() override;

 private:
  class Impl;
  std::shared_ptr<Impl> impl_;
};

// A directory of this machine. Nothing outside it can be reached, whatever the guest does
// with names and links: every path is resolved beneath the directory by the kernel
// (openat2), without following any symbolic link. Links are shown to the guest as they
// are. Devices, pipes and sockets are not shown.
//
// Everything belongs to root in the guest; what the guest makes belongs to this process's
// user here. Set-user-ID, set-group-ID and sticky bits are neither shown nor set, owners
// cannot be changed (EPERM, unless to root).
//
// The guest can fill the disk it is on. Needs Linux 5.6.
class GONDOLIN_API HostDirectory : public VfsProvider {
 public:
  // kNotFound or kFailed (ApiError) when it is no directory that can be opened.
  explicit HostDirectory(const std::filesystem::path& directory,
                         VfsAccess access = VfsAccess::kReadWrite);
  ~HostDirectory() override;

  // --- as VfsProvider says ---
  VfsAttributes attributes(const std::string& path) override;
  std::vector<FileEntry> list(const std::string& path) override;
  std::unique_ptr<VfsFile> open(const std::string& path, const VfsOpen& how) override;
  std::unique_ptr<VfsFile> create(const std::string& path, std::uint32_t permissions,
                                  const VfsOpen& how) override;
  void make_directory(const std::string& path, std::uint32_t permissions) override;
  void remove_file(const std::string& path) override;
  void remove_directory(const std::string& path) override;
  void rename(const std::string& from, const std::string& to, VfsRename mode) override;
  void change(const std::string& path, const VfsChanges& changes) override;
  std::string read_link(const std::string& path) override;
  void make_link(const std::string& path, const std::string& target) override;
  VfsUsage usage() override;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

// A provider at a path of the guest.
struct VfsMount {
  // Absolute and not "/"; made with its parents where it is missing. Below another mount's
  // path it is mounted after that one.
  std::string path;
  // Serves it. One that serves several mounts is called from a thread of each.
  std::shared_ptr<VfsProvider> provider{};
  // kReadOnly: the guest's kernel refuses changes, and so does the host.
  VfsAccess access = VfsAccess::kReadWrite;
  // How long the guest may take names and attributes for granted without asking again: so
  // long a change of the host's may stay unseen.
  std::chrono::milliseconds cache_validity{100};
  // Files and directories that the guest may have open at a time; more is ENFILE. 1 to
  // 100,000.
  unsigned max_open_files = 512;
  // Names that the guest may hold in its cache at a time; more is ENFILE, which a guest
  // with an honest kernel sees only in a very large tree. Some 150 bytes each. 1 to
  // 10,000,000.
  unsigned max_names = 500'000;
};

}  // namespace gondolin
