// A VfsProvider as the operations of a mount: numbers to paths and open files, exceptions
// to errnos, and the bounds on what a guest may hold.
//
// Operations may block and belong to one thread, the mount's. forget() is for any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "api/vfs_nodes.hpp"
#include "base/bytes.hpp"
#include "gondolin/vfs.hpp"
#include "vfs/types.hpp"

namespace gondolin::api {

class ServedFiles {
 public:
  // Of the names that the guest has read from directories and not closed, in bytes.
  static constexpr std::size_t kMaxListings = std::size_t{32} * 1024 * 1024;

  // Gets a line for what a provider threw that is no errno, on the mount's thread.
  using Log = std::function<void(const std::string& line)>;

  ServedFiles(const VfsMount& mount, Log log);

  void forget(vfs::NodeId node, std::uint64_t count) { nodes_.forget(node, count); }
  // Everything the guest has open is closed, and every number is void.
  void restart();

  template <typename T>
  using Outcome = vfs::Outcome<T>;
  using NodeId = vfs::NodeId;
  using HandleId = vfs::HandleId;

  // As vfs::Provider has them.
  Outcome<vfs::Attributes> lookup(NodeId parent, const std::string& name);
  Outcome<vfs::Created> create(NodeId parent, const std::string& name, std::uint32_t permissions,
                               int flags);
  Outcome<vfs::Attributes> mkdir(NodeId parent, const std::string& name, std::uint32_t permissions);
  Outcome<void> unlink(NodeId parent, const std::string& name);
  Outcome<void> rmdir(NodeId parent, const std::string& name);
  Outcome<void> rename(NodeId parent, const std::string& name, NodeId new_parent,
                       const std::string& new_name, vfs::RenameMode mode);
  Outcome<std::string> readlink(NodeId node);
  Outcome<vfs::Attributes> symlink(NodeId parent, const std::string& name,
                                   const std::string& target);
  Outcome<vfs::Attributes> getattr(NodeId node);
  Outcome<vfs::Attributes> setattr(NodeId node, const vfs::AttributeChanges& changes);
  Outcome<vfs::FileSystemUsage> statfs();
  Outcome<vfs::Opened> open(NodeId node, int flags);
  Outcome<ByteBuffer> read(HandleId handle, std::uint64_t offset, std::size_t size);
  Outcome<std::size_t> write(HandleId handle, std::uint64_t offset, Bytes data);
  Outcome<void> flush(HandleId handle);
  Outcome<void> fsync(HandleId handle);
  Outcome<void> release(HandleId handle);
  Outcome<vfs::Opened> opendir(NodeId node);
  Outcome<std::vector<vfs::DirectoryEntry>> readdir(HandleId handle, std::uint64_t offset,
                                                    std::size_t limit);

 private:
  struct OpenFile {
    NodeId node{};
    std::unique_ptr<VfsFile> file;   // of a file
    std::vector<FileEntry> entries;  // of a directory, once it was read
    std::size_t listed = 0;          // bytes of them
  };

  // What `work()` gives, an exception of the provider as an errno.
  template <typename Work>
  auto guarded(Work work) -> decltype(work());
  [[nodiscard]] Outcome<void> writable() const;
  [[nodiscard]] Outcome<vfs::Attributes> remembered(NodeId parent, const std::string& name,
                                                    const VfsAttributes& attributes);
  [[nodiscard]] OpenFile* open_file(HandleId handle);
  [[nodiscard]] Outcome<vfs::Opened> add(NodeId node, std::unique_ptr<VfsFile> file);
  [[nodiscard]] Outcome<void> room() const;
  [[nodiscard]] VfsFile* any_open(NodeId node);
  [[nodiscard]] Outcome<void> take_listing(OpenFile& directory);

  const std::shared_ptr<VfsProvider> provider_;
  const VfsAccess access_;
  const std::size_t max_open_;
  const Log log_;
  VfsNodes nodes_;
  std::unordered_map<std::uint64_t, OpenFile> open_;  // by handle
  std::uint64_t last_handle_ = 0;
  std::size_t listed_ = 0;  // bytes of all listings
};

}  // namespace gondolin::api
