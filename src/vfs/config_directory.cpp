// The operations of ConfigDirectory, and the rule of when `listeners` is settled.
//
// Every operation that may have settled something ends with settle(), which tells
// the host what is new. The listener may change `listeners` in turn, so no
// reference to a file is used after it.
#include "vfs/config_directory.hpp"

#include <fcntl.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "base/check.hpp"

namespace gondolin::vfs {
namespace {

constexpr std::string_view kListeners = "listeners";
constexpr std::string_view kStatus = "status";
constexpr NodeId kStatusNode{2};
constexpr NodeId kFirstFileNode{3};

// Positions in the directory: the offsets of READDIR.
constexpr std::uint64_t kDotPosition = 1;
constexpr std::uint64_t kDotDotPosition = 2;
constexpr std::uint64_t kStatusPosition = 3;
constexpr std::uint64_t kFirstFilePosition = 4;

constexpr std::uint32_t kPermissionBits = 07777;
constexpr std::uint64_t kBlockSize = 4096;

bool wants_write(int flags) {
  return (flags & O_ACCMODE) != O_RDONLY;
}
bool wants_read(int flags) {
  return (flags & O_ACCMODE) != O_WRONLY;
}

// Ends a status that is too long behind a whole line, and says so.
void cut(std::string& text) {
  constexpr std::string_view kNote = "... and more, which is not shown\n";
  text.resize(ConfigDirectory::kMaxStatusSize - kNote.size());
  text.resize(text.rfind('\n') + 1);
  text += kNote;
}

}  // namespace

ConfigDirectory::ConfigDirectory(std::string listeners, Clock clock)
    : clock_(std::move(clock)),
      status_([] { return std::string(); }),
      files_(kFirstFileNode, kFirstFilePosition) {
  GONDOLIN_CHECK(listeners.size() <= kMaxListenersSize);
  created_ = directory_changed_ = status_changed_ = clock_();
  files_.assign(files_.add(kListeners, created_), listeners, created_);
  settled_ = {std::move(listeners), version_};
}

ConfigDirectory::Clock ConfigDirectory::system_clock() {
  return
      [] { return std::chrono::time_point_cast<Time::duration>(std::chrono::system_clock::now()); };
}

// --- for the host ------------------------------------------------------------

Result<std::uint64_t> ConfigDirectory::replace_if(std::uint64_t version, std::string content) {
  if (content.size() > kMaxListenersSize) {
    return fail(ErrorCode::kLimit, "the listeners file would be larger than 64 KiB");
  }
  if (version != version_ || version != settled_.version) {
    return fail(ErrorCode::kRefused, "the listeners file was changed in the meantime");
  }
  File* file = files_.named(kListeners);
  if (file && any_handle(file->node, &Handle::writable)) {
    return fail(ErrorCode::kRefused, "the listeners file is open for writing in the guest");
  }
  const Time now = clock_();
  if (!file) file = &files_.add(kListeners, now);
  files_.assign(*file, content, now);
  listeners_changed();
  settled_ = {std::move(content), version_};
  return version_;
}

bool ConfigDirectory::has_other_files() const {
  auto names = files_.listing();
  return std::any_of(names.begin(), names.end(),
                     [](const File* file) { return file->name != kListeners; });
}

void ConfigDirectory::set_status(std::string text) {
  status_ = [text = std::move(text)] { return text; };
}

// --- when `listeners` is settled -----------------------------------------------

bool ConfigDirectory::is_listeners(const File& file) const {
  return file.name == kListeners;
}

bool ConfigDirectory::any_handle(NodeId node, bool Handle::* property) const {
  return std::ranges::any_of(handles_, [&](const auto& entry) {
    return entry.second.node == node && entry.second.*property;
  });
}

void ConfigDirectory::settle() {
  const File* file = files_.named(kListeners);
  if (file && file->overflown) {
    if (!any_handle(file->node, &Handle::writable)) take_back();
    return;
  }
  if (version_ == settled_.version) return;
  if (file && any_handle(file->node, &Handle::unfinished)) return;
  settled_ = {file ? std::optional(file->content) : std::nullopt, version_};
  if (!listener_) return;
  const ListenersSnapshot told = settled_;  // the listener may replace settled_
  listener_(told);
}

// Makes `listeners` what it was when it was settled last. Nobody has seen the
// versions in between, so the old one is good again.
void ConfigDirectory::take_back() {
  const Time now = clock_();
  File* file = files_.named(kListeners);
  if (file && !settled_.content) {
    files_.unlink(*file, now);
  } else if (settled_.content) {
    if (!file) file = &files_.add(kListeners, now);
    if (file->content != *settled_.content) files_.assign(*file, *settled_.content, now);
    file->overflown = false;
  }
  version_ = settled_.version;
}

void ConfigDirectory::restart() {
  handles_.clear();
  files_.close_all();
  if (version_ != settled_.version) take_back();
  settle();
}

// --- handles and attributes ------------------------------------------------------

ConfigDirectory::Handle* ConfigDirectory::handle_of(NodeId node, HandleId handle) {
  auto found = handles_.find(handle);
  return found == handles_.end() || found->second.node != node ? nullptr : &found->second;
}

Opened ConfigDirectory::add_handle(Handle handle) {
  const HandleId id{next_handle_++};
  handles_.emplace(id, std::move(handle));
  return {.handle = id, .cache = PageCache::kBypass};
}

Outcome<void> ConfigDirectory::directory(NodeId node) {
  if (node == kRootNode) return {};
  return failed(node == kStatusNode || files_.at(node) ? ENOTDIR : ESTALE);
}

const std::string& ConfigDirectory::status_text() {
  std::string text = status_();
  if (text.size() > kMaxStatusSize) cut(text);
  if (text != status_text_) {
    status_text_ = std::move(text);
    status_changed_ = clock_();
  }
  return status_text_;
}

Attributes ConfigDirectory::status_attributes() {
  const std::uint64_t size = status_text().size();
  return {.node = kStatusNode,
          .permissions = 0444,
          .size = size,
          .accessed = status_changed_,
          .modified = status_changed_,
          .changed = status_changed_};
}

Attributes ConfigDirectory::attributes_of(const File& file) const {
  return {.node = file.node,
          .permissions = file.permissions,
          .links = file.name.empty() ? 0U : 1U,
          .uid = file.uid,
          .gid = file.gid,
          .size = file.content.size(),
          .accessed = file.accessed,
          .modified = file.modified,
          .changed = file.changed};
}

Outcome<Attributes> ConfigDirectory::attributes_of(NodeId node) {
  if (node == kRootNode) {
    return Attributes{.node = kRootNode,
                      .kind = NodeKind::kDirectory,
                      .permissions = 0755,
                      .links = 2,
                      .accessed = created_,
                      .modified = directory_changed_,
                      .changed = directory_changed_};
  }
  if (node == kStatusNode) return status_attributes();
  if (const File* file = files_.at(node)) return attributes_of(*file);
  return failed(ESTALE);
}

Outcome<Attributes> ConfigDirectory::look_up(NodeId parent, std::string_view name) {
  if (auto found = directory(parent); !found) return tl::unexpected(found.error());
  if (name == kStatus) return status_attributes();
  if (const File* file = files_.named(name)) return attributes_of(*file);
  return failed(ENOENT);
}

Outcome<void> ConfigDirectory::room_for(const File& file, std::uint64_t size) const {
  if (size > (is_listeners(file) ? kMaxListenersSize : kMaxFileSize)) return failed(EFBIG);
  if (size <= file.content.size()) return {};
  const std::size_t others = files_.total_size() - file.content.size();
  if (others + size > kMaxTotalSize) return failed(ENOSPC);
  return {};
}

// --- names -------------------------------------------------------------------

void ConfigDirectory::lookup(NodeId parent, std::string_view name, Reply<Attributes> reply) {
  reply(look_up(parent, name));
}

void ConfigDirectory::create(NodeId parent, std::string_view name, std::uint32_t permissions,
                             int flags, Caller caller, Reply<Created> reply) {
  if (auto found = directory(parent); !found) return reply(tl::unexpected(found.error()));
  reply(open_or_make(name, permissions, flags, caller));
}

Outcome<Created> ConfigDirectory::open_or_make(std::string_view name, std::uint32_t permissions,
                                               int flags, Caller caller) {
  const bool exists = name == kStatus || files_.named(name);
  if (exists && (flags & O_EXCL) != 0) return failed(EEXIST);
  if (handles_.size() >= kMaxHandles) return failed(ENFILE);
  if (!exists) {
    if (files_.count() >= kMaxFiles) return failed(ENOSPC);
    File& file = files_.add(name, clock_());
    file.permissions = permissions & kPermissionBits;
    file.uid = caller.uid;
    file.gid = caller.gid;
    directory_changed_ = file.changed;
    if (is_listeners(file)) listeners_changed();
  }
  const NodeId node = name == kStatus ? kStatusNode : files_.named(name)->node;
  Outcome<Opened> opened = open_node(node, flags);
  if (!opened) return tl::unexpected(opened.error());
  if (!exists) handles_.at(opened->handle).unfinished = true;
  return Created{*attributes_of(node), *opened};
}

void ConfigDirectory::mkdir(NodeId parent, std::string_view name, std::uint32_t, Caller,
                            Reply<Attributes> reply) {
  reply(failed(look_up(parent, name) ? EEXIST : EPERM));
}

void ConfigDirectory::unlink(NodeId parent, std::string_view name, Reply<void> reply) {
  if (auto found = directory(parent); !found) return reply(found);
  reply(remove(name));
}

Outcome<void> ConfigDirectory::remove(std::string_view name) {
  if (name == kStatus) return failed(EPERM);
  File* file = files_.named(name);
  if (!file) return failed(ENOENT);
  if (is_listeners(*file)) listeners_changed();
  directory_changed_ = clock_();
  files_.unlink(*file, directory_changed_);
  settle();
  return {};
}

void ConfigDirectory::rmdir(NodeId parent, std::string_view name, Reply<void> reply) {
  const auto found = look_up(parent, name);
  reply(found ? failed(ENOTDIR) : tl::unexpected(found.error()));
}

void ConfigDirectory::rename(NodeId parent, std::string_view name, NodeId new_parent,
                             std::string_view new_name, RenameMode mode, Reply<void> reply) {
  if (auto found = directory(parent); !found) return reply(found);
  if (auto found = directory(new_parent); !found) return reply(found);
  reply(move(name, new_name, mode));
}

Outcome<void> ConfigDirectory::move(std::string_view name, std::string_view new_name,
                                    RenameMode mode) {
  if (name == kStatus || new_name == kStatus) return failed(EPERM);
  File* file = files_.named(name);
  if (!file) return failed(ENOENT);
  File* other = files_.named(new_name);
  if (mode == RenameMode::kNoReplace && other) return failed(EEXIST);
  if (mode == RenameMode::kExchange && !other) return failed(ENOENT);
  if (file == other) return {};
  const File* becomes_listeners = new_name == kListeners                                ? file
                                  : mode == RenameMode::kExchange && name == kListeners ? other
                                                                                        : nullptr;
  if (becomes_listeners && becomes_listeners->content.size() > kMaxListenersSize) {
    return failed(EFBIG);
  }
  directory_changed_ = clock_();
  file->overflown = false;
  if (mode == RenameMode::kExchange) {
    other->overflown = false;
    files_.exchange(*file, *other, directory_changed_);
  } else {
    files_.rename(*file, new_name, directory_changed_);
  }
  if (name == kListeners || new_name == kListeners) listeners_changed();
  settle();
  return {};
}

// --- attributes ----------------------------------------------------------------

void ConfigDirectory::getattr(NodeId node, Reply<Attributes> reply) {
  reply(attributes_of(node));
}

void ConfigDirectory::setattr(NodeId node, const AttributeChanges& changes,
                              Reply<Attributes> reply) {
  reply(change(node, changes));
}

Outcome<Attributes> ConfigDirectory::change(NodeId node, const AttributeChanges& changes) {
  if (node == kRootNode || node == kStatusNode) return failed(changes.size ? EACCES : EPERM);
  File* file = files_.at(node);
  if (!file) return failed(ESTALE);
  if (changes.size) {
    if (auto done = set_size(*file, *changes.size, changes.handle); !done)
      return tl::unexpected(done.error());
  }
  if (changes.permissions) file->permissions = *changes.permissions & kPermissionBits;
  if (changes.uid) file->uid = *changes.uid;
  if (changes.gid) file->gid = *changes.gid;
  if (changes.accessed) file->accessed = *changes.accessed;
  if (changes.modified) file->modified = *changes.modified;
  file->changed = clock_();
  const Attributes attributes = attributes_of(*file);
  settle();
  return attributes;
}

// truncate(2) settles as it is; ftruncate(2) is one step of an edit.
Outcome<void> ConfigDirectory::set_size(File& file, std::uint64_t size,
                                        std::optional<HandleId> by) {
  Handle* handle = nullptr;
  if (by) {
    handle = handle_of(file.node, *by);
    if (!handle || !handle->writable) return failed(EBADF);
  }
  if (auto room = room_for(file, size); !room) return room;
  resize(file, static_cast<std::size_t>(size));
  if (handle) handle->unfinished = true;
  return {};
}

void ConfigDirectory::resize(File& file, std::size_t size) {
  if (size == 0) file.overflown = false;
  if (is_listeners(file) && size != file.content.size()) listeners_changed();
  files_.resize(file, size, clock_());
}

void ConfigDirectory::statfs(Reply<FileSystemUsage> reply) {
  const std::size_t used = std::min(files_.total_size(), kMaxTotalSize);
  reply(FileSystemUsage{.block_size = kBlockSize,
                        .blocks = kMaxTotalSize / kBlockSize,
                        .free_blocks = (kMaxTotalSize - used) / kBlockSize,
                        .files = kMaxFiles,
                        .free_files = kMaxFiles - std::min(kMaxFiles, files_.count())});
}

// --- files -----------------------------------------------------------------------

void ConfigDirectory::open(NodeId node, int flags, Reply<Opened> reply) {
  reply(open_node(node, flags));
}

Outcome<Opened> ConfigDirectory::open_node(NodeId node, int flags) {
  if (node == kRootNode) return failed(EISDIR);
  File* file = files_.at(node);
  if (!file && node != kStatusNode) return failed(ESTALE);
  if (handles_.size() >= kMaxHandles) return failed(ENFILE);
  return file ? open_file(*file, flags) : open_status(flags);
}

Outcome<Opened> ConfigDirectory::open_status(int flags) {
  if (wants_write(flags) || (flags & O_TRUNC) != 0) return failed(EACCES);
  return add_handle({.node = kStatusNode, .readable = true, .status = status_text()});
}

Outcome<Opened> ConfigDirectory::open_file(File& file, int flags) {
  const bool truncates = (flags & O_TRUNC) != 0;
  if (truncates) resize(file, 0);
  files_.opened(file);
  return add_handle({.node = file.node,
                     .readable = wants_read(flags),
                     .writable = wants_write(flags),
                     .unfinished = truncates,
                     .status = {}});
}

void ConfigDirectory::read(NodeId node, HandleId handle, std::uint64_t offset, std::size_t size,
                           Reply<Bytes> reply) {
  const Handle* opened = handle_of(node, handle);
  if (!opened || !opened->readable) return reply(failed(EBADF));
  const std::string& content = node == kStatusNode ? opened->status : files_.at(node)->content;
  if (offset >= content.size()) return reply(Bytes{});
  reply(as_bytes(std::string_view(content).substr(static_cast<std::size_t>(offset), size)));
}

void ConfigDirectory::write(NodeId node, HandleId handle, std::uint64_t offset, Bytes data,
                            int flags, Reply<std::size_t> reply) {
  reply(write_file(node, handle, offset, data, flags));
}

Outcome<std::size_t> ConfigDirectory::write_file(NodeId node, HandleId handle, std::uint64_t offset,
                                                 Bytes data, int flags) {
  Handle* opened = handle_of(node, handle);
  if (!opened || !opened->writable) return failed(EBADF);
  if (data.empty()) return 0U;
  File& file = *files_.at(node);
  if ((flags & O_APPEND) != 0) offset = file.content.size();
  opened->unfinished = true;
  if (offset > kMaxFileSize) offset = kMaxFileSize;  // too far in any case; now the sum fits
  const std::uint64_t end = std::max<std::uint64_t>(offset + data.size(), file.content.size());
  if (auto room = room_for(file, end); !room) {
    if (is_listeners(file)) file.overflown = true;
    return tl::unexpected(room.error());
  }
  files_.write(file, static_cast<std::size_t>(offset), data, clock_());
  if (is_listeners(file)) listeners_changed();
  return data.size();
}

void ConfigDirectory::flush(NodeId node, HandleId handle, Reply<void> reply) {
  reply(handle_of(node, handle) ? Outcome<void>() : failed(EBADF));
}

void ConfigDirectory::fsync(NodeId node, HandleId handle, Reply<void> reply) {
  Handle* opened = handle_of(node, handle);
  if (!opened) return reply(failed(EBADF));
  opened->unfinished = false;
  settle();
  reply({});
}

void ConfigDirectory::release(NodeId node, HandleId handle, Reply<void> reply) {
  if (!handle_of(node, handle)) return reply(failed(EBADF));
  handles_.erase(handle);
  if (node != kStatusNode) files_.closed(*files_.at(node));
  settle();
  reply({});
}

// --- the directory -----------------------------------------------------------------

void ConfigDirectory::opendir(NodeId node, Reply<Opened> reply) {
  if (auto found = directory(node); !found) return reply(tl::unexpected(found.error()));
  reply(Opened{});  // listing needs no state: an offset is a position
}

void ConfigDirectory::readdir(NodeId node, HandleId, std::uint64_t offset, std::size_t limit,
                              Reply<std::vector<DirectoryEntry>> reply) {
  reply(list(node, offset, limit));
}

Outcome<std::vector<DirectoryEntry>> ConfigDirectory::list(NodeId node, std::uint64_t offset,
                                                           std::size_t limit) {
  if (auto found = directory(node); !found) return tl::unexpected(found.error());
  std::vector<DirectoryEntry> entries = {
      {".", kRootNode, NodeKind::kDirectory, kDotPosition},
      {"..", kRootNode, NodeKind::kDirectory, kDotDotPosition},
      {std::string(kStatus), kStatusNode, NodeKind::kFile, kStatusPosition}};
  for (const File* file : files_.listing()) {
    entries.push_back({file->name, file->node, NodeKind::kFile, file->position});
  }
  std::erase_if(entries, [&](const DirectoryEntry& entry) { return entry.next <= offset; });
  if (entries.size() > limit) entries.resize(limit);
  return entries;
}

void ConfigDirectory::releasedir(NodeId node, HandleId, Reply<void> reply) {
  reply(directory(node));
}

}  // namespace gondolin::vfs
