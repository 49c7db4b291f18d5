#include "api/served_files.hpp"

#include <fcntl.h>

#include <algorithm>
#include <cerrno>
#include <exception>
#include <new>
#include <string_view>
#include <system_error>
#include <utility>

namespace gondolin::api {
namespace {

using vfs::failed;

constexpr std::uint64_t kUnknownInode = 0xffff'ffff;  // as libfuse has it
constexpr std::uint64_t kBlock = 4096;
constexpr std::size_t kMaxName = 255;
constexpr std::size_t kMaxTarget = 4095;

// What an errno from a provider may be.
constexpr int kMaxErrno = 511;

int errno_of(const std::error_code& code) {
  const bool known =
      code.category() == std::generic_category() || code.category() == std::system_category();
  return known && code.value() > 0 && code.value() <= kMaxErrno ? code.value() : EIO;
}

vfs::NodeKind kind_of(FileType type) {
  switch (type) {
    case FileType::kDirectory:
      return vfs::NodeKind::kDirectory;
    case FileType::kSymlink:
      return vfs::NodeKind::kSymlink;
    case FileType::kFile:
    case FileType::kOther:
      break;
  }
  return vfs::NodeKind::kFile;
}

vfs::Attributes to_attributes(vfs::NodeId node, const VfsAttributes& from) {
  const vfs::NodeKind kind = kind_of(from.type);
  return {.node = node,
          .kind = kind,
          .permissions = from.permissions & 07777,
          .links = kind == vfs::NodeKind::kDirectory ? 2U : 1U,
          .uid = from.uid,
          .gid = from.gid,
          .size = from.size,
          .accessed = from.modified,
          .modified = from.modified,
          .changed = from.modified};
}

VfsOpen to_open(int flags) {
  const int access = flags & O_ACCMODE;
  return {.read = access != O_WRONLY,
          .write = access != O_RDONLY,
          .truncate = (flags & O_TRUNC) != 0 && access != O_RDONLY,
          .append = (flags & O_APPEND) != 0};
}

VfsRename to_rename(vfs::RenameMode mode) {
  switch (mode) {
    case vfs::RenameMode::kNoReplace:
      return VfsRename::kNoReplace;
    case vfs::RenameMode::kExchange:
      return VfsRename::kExchange;
    case vfs::RenameMode::kReplace:
      break;
  }
  return VfsRename::kReplace;
}

bool is_name(std::string_view name) {
  return !name.empty() && name.size() <= kMaxName && name != "." && name != ".." &&
         name.find('/') == name.npos && name.find('\0') == name.npos;
}

bool is_below(std::string_view path, std::string_view directory) {
  return path.size() > directory.size() && path.starts_with(directory) &&
         path[directory.size()] == '/';
}

}  // namespace

ServedFiles::ServedFiles(const VfsMount& mount, Log log)
    : provider_(mount.provider),
      access_(mount.access),
      max_open_(mount.max_open_files),
      log_(std::move(log)),
      nodes_(mount.max_names) {}

template <typename Work>
auto ServedFiles::guarded(Work work) -> decltype(work()) {
  try {
    return work();
  } catch (const std::system_error& error) {
    return failed(errno_of(error.code()));
  } catch (const std::bad_alloc&) {
    return failed(ENOMEM);
  } catch (const std::exception& error) {
    log_(std::string("a provider threw: ") + error.what());
    return failed(EIO);
  } catch (...) {
    log_("a provider threw something");
    return failed(EIO);
  }
}

void ServedFiles::restart() {
  // Closing may throw in a provider's destructor only by a bug that ends the process.
  open_.clear();
  listed_ = 0;
  nodes_.clear();
}

vfs::Outcome<void> ServedFiles::writable() const {
  if (access_ == VfsAccess::kReadOnly) return failed(EROFS);
  return {};
}

// --- names -------------------------------------------------------------------------

vfs::Outcome<vfs::Attributes> ServedFiles::remembered(NodeId parent, const std::string& name,
                                                      const VfsAttributes& attributes) {
  if (attributes.type == FileType::kOther) return failed(ENOENT);
  auto node = nodes_.remember(parent, name, kind_of(attributes.type));
  if (!node) return tl::unexpected(node.error());
  return to_attributes(*node, attributes);
}

vfs::Outcome<vfs::Attributes> ServedFiles::lookup(NodeId parent, const std::string& name) {
  return guarded([&]() -> Outcome<vfs::Attributes> {
    auto path = nodes_.path(parent, name);
    if (!path) return tl::unexpected(path.error());
    return remembered(parent, name, provider_->attributes(*path));
  });
}

vfs::Outcome<vfs::Created> ServedFiles::create(NodeId parent, const std::string& name,
                                               std::uint32_t permissions, int flags) {
  return guarded([&]() -> Outcome<vfs::Created> {
    if (auto allowed = writable(); !allowed) return tl::unexpected(allowed.error());
    if (auto enough = room(); !enough) return tl::unexpected(enough.error());
    auto path = nodes_.path(parent, name);
    if (!path) return tl::unexpected(path.error());
    std::unique_ptr<VfsFile> file;
    try {
      file = provider_->create(*path, permissions & 07777, to_open(flags));
    } catch (const std::system_error& error) {
      // Somebody made it since the guest looked.
      if (errno_of(error.code()) != EEXIST || (flags & O_EXCL) != 0) throw;
      file = provider_->open(*path, to_open(flags));
    }
    if (!file) return failed(EIO);
    auto attributes = remembered(parent, name, file->attributes());
    if (!attributes) return tl::unexpected(attributes.error());
    auto opened = add(attributes->node, std::move(file));
    if (!opened) return tl::unexpected(opened.error());
    return vfs::Created{*attributes, *opened};
  });
}

vfs::Outcome<vfs::Attributes> ServedFiles::mkdir(NodeId parent, const std::string& name,
                                                 std::uint32_t permissions) {
  return guarded([&]() -> Outcome<vfs::Attributes> {
    if (auto allowed = writable(); !allowed) return tl::unexpected(allowed.error());
    auto path = nodes_.path(parent, name);
    if (!path) return tl::unexpected(path.error());
    provider_->make_directory(*path, permissions & 07777);
    return remembered(parent, name, provider_->attributes(*path));
  });
}

vfs::Outcome<void> ServedFiles::unlink(NodeId parent, const std::string& name) {
  return guarded([&]() -> Outcome<void> {
    if (auto allowed = writable(); !allowed) return allowed;
    auto path = nodes_.path(parent, name);
    if (!path) return tl::unexpected(path.error());
    provider_->remove_file(*path);
    nodes_.removed(parent, name);
    return {};
  });
}

vfs::Outcome<void> ServedFiles::rmdir(NodeId parent, const std::string& name) {
  return guarded([&]() -> Outcome<void> {
    if (auto allowed = writable(); !allowed) return allowed;
    auto path = nodes_.path(parent, name);
    if (!path) return tl::unexpected(path.error());
    provider_->remove_directory(*path);
    nodes_.removed(parent, name);
    return {};
  });
}

vfs::Outcome<void> ServedFiles::rename(NodeId parent, const std::string& name, NodeId new_parent,
                                       const std::string& new_name, vfs::RenameMode mode) {
  return guarded([&]() -> Outcome<void> {
    if (auto allowed = writable(); !allowed) return allowed;
    auto from = nodes_.path(parent, name);
    if (!from) return tl::unexpected(from.error());
    auto to = nodes_.path(new_parent, new_name);
    if (!to) return tl::unexpected(to.error());
    if (is_below(*to, *from)) return failed(EINVAL);
    if (is_below(*from, *to) && mode == vfs::RenameMode::kExchange) return failed(EINVAL);
    provider_->rename(*from, *to, to_rename(mode));
    nodes_.renamed(parent, name, new_parent, new_name, mode);
    return {};
  });
}

vfs::Outcome<std::string> ServedFiles::readlink(NodeId node) {
  return guarded([&]() -> Outcome<std::string> {
    auto path = nodes_.path(node);
    if (!path) return path;
    std::string target = provider_->read_link(*path);
    const bool sound =
        !target.empty() && target.size() <= kMaxTarget && target.find('\0') == std::string::npos;
    if (!sound) return failed(EIO);
    return target;
  });
}

vfs::Outcome<vfs::Attributes> ServedFiles::symlink(NodeId parent, const std::string& name,
                                                   const std::string& target) {
  return guarded([&]() -> Outcome<vfs::Attributes> {
    if (auto allowed = writable(); !allowed) return tl::unexpected(allowed.error());
    auto path = nodes_.path(parent, name);
    if (!path) return tl::unexpected(path.error());
    provider_->make_link(*path, target);
    return remembered(parent, name, provider_->attributes(*path));
  });
}

// --- attributes ----------------------------------------------------------------------

// Some open file of the node, which is the only way to one whose name is gone.
VfsFile* ServedFiles::any_open(NodeId node) {
  auto found = std::ranges::find_if(
      open_, [&](const auto& entry) { return entry.second.node == node && entry.second.file; });
  return found == open_.end() ? nullptr : found->second.file.get();
}

vfs::Outcome<vfs::Attributes> ServedFiles::getattr(NodeId node) {
  return guarded([&]() -> Outcome<vfs::Attributes> {
    auto path = nodes_.path(node);
    if (path) {
      const VfsAttributes found = provider_->attributes(*path);
      if (found.type == FileType::kOther) return failed(ENOENT);
      return to_attributes(node, found);
    }
    VfsFile* file = path.error() == vfs::Errno{ENOENT} ? any_open(node) : nullptr;
    if (file == nullptr) return tl::unexpected(path.error());
    return to_attributes(node, file->attributes());
  });
}

vfs::Outcome<vfs::Attributes> ServedFiles::setattr(NodeId node,
                                                   const vfs::AttributeChanges& wanted) {
  return guarded([&]() -> Outcome<vfs::Attributes> {
    if (auto allowed = writable(); !allowed) return tl::unexpected(allowed.error());
    VfsChanges changes{.permissions = wanted.permissions,
                       .uid = wanted.uid,
                       .gid = wanted.gid,
                       .size = wanted.size,
                       .modified = wanted.modified};
    if (wanted.size && wanted.handle) {
      OpenFile* open = open_file(*wanted.handle);
      if (open == nullptr || !open->file || open->node != node) return failed(EBADF);
      open->file->truncate(*wanted.size);
      changes.size.reset();
    }
    const bool any =
        changes.permissions || changes.uid || changes.gid || changes.size || changes.modified;
    if (any) {
      auto path = nodes_.path(node);
      if (!path) return tl::unexpected(path.error());
      provider_->change(*path, changes);
    }
    return getattr(node);
  });
}

vfs::Outcome<vfs::FileSystemUsage> ServedFiles::statfs() {
  return guarded([&]() -> Outcome<vfs::FileSystemUsage> {
    const VfsUsage usage = provider_->usage();
    return vfs::FileSystemUsage{.block_size = kBlock,
                                .blocks = usage.total_bytes / kBlock,
                                .free_blocks = usage.free_bytes / kBlock};
  });
}

// --- open files ----------------------------------------------------------------------

ServedFiles::OpenFile* ServedFiles::open_file(HandleId handle) {
  auto found = open_.find(static_cast<std::uint64_t>(handle));
  return found == open_.end() ? nullptr : &found->second;
}

vfs::Outcome<void> ServedFiles::room() const {
  if (open_.size() >= max_open_) return failed(ENFILE);
  return {};
}

vfs::Outcome<vfs::Opened> ServedFiles::add(NodeId node, std::unique_ptr<VfsFile> file) {
  const std::uint64_t handle = ++last_handle_;
  open_.emplace(handle, OpenFile{.node = node, .file = std::move(file), .entries = {}});
  return vfs::Opened{.handle = HandleId{handle}, .cache = vfs::PageCache::kUse};
}

vfs::Outcome<vfs::Opened> ServedFiles::open(NodeId node, int flags) {
  return guarded([&]() -> Outcome<vfs::Opened> {
    const VfsOpen how = to_open(flags);
    if (how.write) {
      if (auto allowed = writable(); !allowed) return tl::unexpected(allowed.error());
    }
    if (auto enough = room(); !enough) return tl::unexpected(enough.error());
    auto path = nodes_.path(node);
    if (!path) return tl::unexpected(path.error());
    auto file = provider_->open(*path, how);
    if (!file) return failed(EIO);
    return add(node, std::move(file));
  });
}

vfs::Outcome<ByteBuffer> ServedFiles::read(HandleId handle, std::uint64_t offset,
                                           std::size_t size) {
  return guarded([&]() -> Outcome<ByteBuffer> {
    OpenFile* open = open_file(handle);
    if (open == nullptr || !open->file) return failed(EBADF);
    ByteBuffer buffer(size);
    const std::size_t count = open->file->read(offset, buffer);
    buffer.resize(std::min(count, size));
    return buffer;
  });
}

vfs::Outcome<std::size_t> ServedFiles::write(HandleId handle, std::uint64_t offset, Bytes data) {
  return guarded([&]() -> Outcome<std::size_t> {
    if (auto allowed = writable(); !allowed) return tl::unexpected(allowed.error());
    OpenFile* open = open_file(handle);
    if (open == nullptr || !open->file) return failed(EBADF);
    return std::min(open->file->write(offset, data), data.size());
  });
}

vfs::Outcome<void> ServedFiles::flush(HandleId handle) {
  return guarded([&]() -> Outcome<void> {
    OpenFile* open = open_file(handle);
    if (open == nullptr || !open->file) return failed(EBADF);
    open->file->flush();
    return {};
  });
}

vfs::Outcome<void> ServedFiles::fsync(HandleId handle) {
  return guarded([&]() -> Outcome<void> {
    OpenFile* open = open_file(handle);
    if (open == nullptr || !open->file) return failed(EBADF);
    open->file->sync();
    return {};
  });
}

vfs::Outcome<void> ServedFiles::release(HandleId handle) {
  auto found = open_.find(static_cast<std::uint64_t>(handle));
  if (found == open_.end()) return failed(EBADF);
  listed_ -= found->second.listed;
  open_.erase(found);
  return {};
}

// --- directories ---------------------------------------------------------------------

vfs::Outcome<vfs::Opened> ServedFiles::opendir(NodeId node) {
  return guarded([&]() -> Outcome<vfs::Opened> {
    if (auto enough = room(); !enough) return tl::unexpected(enough.error());
    auto path = nodes_.path(node);
    if (!path) return tl::unexpected(path.error());
    if (provider_->attributes(*path).type != FileType::kDirectory) return failed(ENOTDIR);
    return add(node, nullptr);
  });
}

vfs::Outcome<void> ServedFiles::take_listing(OpenFile& directory) {
  auto path = nodes_.path(directory.node);
  if (!path) return tl::unexpected(path.error());
  std::vector<FileEntry> entries = provider_->list(*path);
  std::erase_if(entries, [](const FileEntry& entry) {
    return entry.type == FileType::kOther || !is_name(entry.name);
  });
  std::size_t size = 0;
  for (const FileEntry& entry : entries)
    size += sizeof(FileEntry) + entry.name.size();
  listed_ -= std::exchange(directory.listed, 0);
  directory.entries.clear();
  if (size > kMaxListings - listed_) return failed(ENOMEM);
  listed_ += directory.listed = size;
  directory.entries = std::move(entries);
  return {};
}

vfs::Outcome<std::vector<vfs::DirectoryEntry>> ServedFiles::readdir(HandleId handle,
                                                                    std::uint64_t offset,
                                                                    std::size_t limit) {
  return guarded([&]() -> Outcome<std::vector<vfs::DirectoryEntry>> {
    OpenFile* open = open_file(handle);
    if (open == nullptr || open->file) return failed(EBADF);
    if (offset == 0) {
      if (auto taken = take_listing(*open); !taken) return tl::unexpected(taken.error());
    }
    // "." and "..", then the listing as it was at the start.
    constexpr std::uint64_t kDots = 2;
    const std::uint64_t count = open->entries.size() + kDots;
    std::vector<vfs::DirectoryEntry> list;
    for (std::uint64_t at = offset; at < count && list.size() < limit; ++at) {
      if (at < kDots) {
        list.push_back({.name = at == 0 ? "." : "..",
                        .node = NodeId{kUnknownInode},
                        .kind = vfs::NodeKind::kDirectory,
                        .next = at + 1});
        continue;
      }
      const FileEntry& entry = open->entries[at - kDots];
      list.push_back({.name = entry.name,
                      .node = NodeId{kUnknownInode},
                      .kind = kind_of(entry.type),
                      .next = at + 1});
    }
    return list;
  });
}

}  // namespace gondolin::api
