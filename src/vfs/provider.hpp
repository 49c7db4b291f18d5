// A file system as the host offers it to a guest. FuseSession turns the guest's
// messages into these calls.
//
// Every call is made on the event-loop thread, must not block, and is answered
// through its Reply: before it returns when that costs nothing, or later, from the
// same thread, when the work went to a pool. Several calls may be unanswered at a
// time. Arguments that are views end with the call.
//
// The guest is hostile: any node, handle, offset and size may come in any order. A
// session has checked only that names are 1 to 255 bytes without '/' and NUL and
// are neither "." nor "..". Nothing a guest sends may make a provider's memory grow
// without bound. Permission bits are enforced by the guest's kernel; a provider
// enforces what the guest must not be able to do at all.
#pragma once

#include <sys/types.h>

#include <cerrno>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.hpp"
#include "vfs/types.hpp"

namespace gondolin::vfs {

class Provider {
 public:
  Provider() = default;
  Provider(const Provider&) = delete;
  Provider& operator=(const Provider&) = delete;
  virtual ~Provider() = default;

  // A new mount begins: handles and remembered lookups of the last one are gone,
  // and its RELEASE and FORGET never come.
  virtual void restart() = 0;

  // How long the guest may believe names and attributes without asking again.
  [[nodiscard]] virtual std::chrono::milliseconds cache_validity() const { return {}; }

  // --- names ---------------------------------------------------------------
  // Each success of lookup, create and mkdir counts as one remembered lookup of
  // the node; forget() takes `count` of them back (or claims to) and is not
  // answered.
  virtual void lookup(NodeId parent, std::string_view name, Reply<Attributes> reply) = 0;
  virtual void forget(NodeId node, std::uint64_t count) = 0;

  // Opens `name`, made with `permissions` if it does not exist. `flags` as open(2).
  virtual void create(NodeId parent, std::string_view name, std::uint32_t permissions, int flags,
                      Caller caller, Reply<Created> reply) = 0;
  virtual void mkdir(NodeId parent, std::string_view name, std::uint32_t permissions, Caller caller,
                     Reply<Attributes> reply) = 0;
  virtual void unlink(NodeId parent, std::string_view name, Reply<void> reply) = 0;
  virtual void rmdir(NodeId parent, std::string_view name, Reply<void> reply) = 0;
  virtual void rename(NodeId parent, std::string_view name, NodeId new_parent,
                      std::string_view new_name, RenameMode mode, Reply<void> reply) = 0;

  // --- symbolic links --------------------------------------------------------
  // Without any, as here. The guest's kernel follows them, in the guest; a target is 1 to
  // 4,095 bytes without NUL and means nothing to the host. A success of symlink counts
  // as a remembered lookup.
  virtual void readlink(NodeId, Reply<std::string> reply) { reply(failed(EINVAL)); }
  virtual void symlink(NodeId, std::string_view, std::string_view, Caller,
                       Reply<Attributes> reply) {
    reply(failed(EPERM));
  }

  // --- attributes ----------------------------------------------------------
  virtual void getattr(NodeId node, Reply<Attributes> reply) = 0;
  virtual void setattr(NodeId node, const AttributeChanges& changes, Reply<Attributes> reply) = 0;
  virtual void statfs(Reply<FileSystemUsage> reply) = 0;

  // --- files ---------------------------------------------------------------
  // `flags` as open(2): the access mode, O_TRUNC, O_APPEND and others.
  virtual void open(NodeId node, int flags, Reply<Opened> reply) = 0;
  // Up to `size` bytes (at most kMaxTransfer of fuse_session.hpp); fewer only at
  // the end of the file.
  virtual void read(NodeId node, HandleId handle, std::uint64_t offset, std::size_t size,
                    Reply<Bytes> reply) = 0;
  // Answers how many bytes of `data` were written. `flags` are those the file has
  // now; with O_APPEND the offset is the file's end, whatever `offset` says.
  virtual void write(NodeId node, HandleId handle, std::uint64_t offset, Bytes data, int flags,
                     Reply<std::size_t> reply) = 0;
  // A descriptor of the open file was closed; others may be open still.
  virtual void flush(NodeId node, HandleId handle, Reply<void> reply) = 0;
  virtual void fsync(NodeId node, HandleId handle, Reply<void> reply) = 0;
  // The last descriptor is gone, and the handle with it.
  virtual void release(NodeId node, HandleId handle, Reply<void> reply) = 0;

  // --- directories ---------------------------------------------------------
  virtual void opendir(NodeId node, Reply<Opened> reply) = 0;
  // Entries from `offset` on (0, or the `next` of an entry), at most `limit`; none
  // at the end. "." and ".." are among them.
  virtual void readdir(NodeId node, HandleId handle, std::uint64_t offset, std::size_t limit,
                       Reply<std::vector<DirectoryEntry>> reply) = 0;
  virtual void releasedir(NodeId node, HandleId handle, Reply<void> reply) = 0;
};

}  // namespace gondolin::vfs
