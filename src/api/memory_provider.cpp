// MemoryProvider: a tree of nodes under one mutex.
//
// An open file holds its node, so it lives on without a name. The bytes of a node count
// until it is gone.
#include <algorithm>
#include <cerrno>
#include <functional>
#include <map>
#include <mutex>
#include <string_view>
#include <utility>

#include "gondolin/error.hpp"
#include "gondolin/vfs.hpp"

namespace gondolin {
namespace {

constexpr std::uint32_t kPermissions = 07777;
constexpr std::uint64_t kMaxFile = std::uint64_t{1} << 40;  // far beyond any bound of bytes

VfsTime now() {
  return std::chrono::time_point_cast<VfsTime::duration>(std::chrono::system_clock::now());
}

}  // namespace

class MemoryProvider::Impl : public std::enable_shared_from_this<Impl> {
 public:
  struct Node {
    Impl& owner;
    VfsAttributes about;
    std::string content;  // of a file; the target of a link
    std::map<std::string, std::shared_ptr<Node>, std::less<>> entries{};

    Node(Impl& by, VfsAttributes attributes) : owner(by), about(attributes) { ++owner.files_; }
    Node(const Node&) = delete;
    Node& operator=(const Node&) = delete;
    ~Node() {
      --owner.files_;
      owner.bytes_ -= content.size();
    }
  };
  using NodePtr = std::shared_ptr<Node>;
  class File;

  Impl(std::size_t max_bytes, std::size_t max_files)
      : max_bytes_(max_bytes), max_files_(max_files) {}

  // To be called once, first: a node needs its owner.
  void make_root() { root_ = make({.type = FileType::kDirectory, .permissions = 0755}); }

  std::mutex mutex;  // held in all that follows

  [[nodiscard]] NodePtr make(VfsAttributes about) {
    if (files_ >= max_files_ + 1) vfs_fail(ENOSPC);
    about.permissions &= kPermissions;
    about.modified = now();
    return std::make_shared<Node>(*this, about);
  }

  [[nodiscard]] NodePtr at(std::string_view path) const {
    NodePtr node = root_;
    while (!path.empty()) {
      const std::size_t begin = path.find_first_not_of('/');
      if (begin == path.npos) break;
      path.remove_prefix(begin);
      const std::string_view name = path.substr(0, path.find('/'));
      if (node->about.type != FileType::kDirectory) vfs_fail(ENOTDIR);
      auto found = node->entries.find(name);
      if (found == node->entries.end()) vfs_fail(ENOENT);
      node = found->second;
      path.remove_prefix(name.size());
    }
    return node;
  }

  // A name in its directory.
  struct Place {
    NodePtr directory;
    std::string name;
    [[nodiscard]] NodePtr node() const {
      auto found = directory->entries.find(name);
      return found == directory->entries.end() ? nullptr : found->second;
    }
    [[nodiscard]] NodePtr existing() const {
      auto found = node();
      if (!found) vfs_fail(ENOENT);
      return found;
    }
    void put(NodePtr entry) const {
      directory->entries[name] = std::move(entry);
      directory->about.modified = now();
    }
    void erase() const {
      directory->entries.erase(name);
      directory->about.modified = now();
    }
  };
  [[nodiscard]] Place place(const std::string& path) const {
    const std::size_t slash = path.rfind('/');
    if (slash == path.npos || slash + 1 == path.size()) vfs_fail(EBUSY);
    NodePtr directory = at(std::string_view(path).substr(0, slash));
    if (directory->about.type != FileType::kDirectory) vfs_fail(ENOTDIR);
    return {std::move(directory), path.substr(slash + 1)};
  }

  // Makes what is yet to have a name, and gives it the name last.
  NodePtr add(const std::string& path, VfsAttributes about, const std::string& content = {}) {
    const Place to = place(path);
    if (to.node()) vfs_fail(EEXIST);
    NodePtr node = make(about);
    resize(*node, content.size());
    node->content = content;
    to.put(node);
    return node;
  }

  void resize(Node& node, std::uint64_t size) {
    if (size > kMaxFile) vfs_fail(EFBIG);
    const std::size_t others = bytes_ - node.content.size();
    if (size > max_bytes_ - others) vfs_fail(ENOSPC);
    node.content.resize(static_cast<std::size_t>(size));
    bytes_ = others + node.content.size();
    node.about.size = size;
    node.about.modified = now();
  }

  [[nodiscard]] VfsUsage usage() const {
    return {.total_bytes = max_bytes_, .free_bytes = max_bytes_ - bytes_};
  }

  // The nodes of open files may outlive everybody else.
  [[nodiscard]] std::unique_ptr<VfsFile> open(NodePtr node, const VfsOpen& how);

 private:
  const std::size_t max_bytes_;
  const std::size_t max_files_;
  std::size_t bytes_ = 0;
  std::size_t files_ = 0;
  NodePtr root_;
};

class MemoryProvider::Impl::File final : public VfsFile {
 public:
  File(std::shared_ptr<Impl> owner, NodePtr node, const VfsOpen& how)
      : owner_(std::move(owner)), node_(std::move(node)), how_(how) {}
  ~File() override {
    std::lock_guard lock(owner_->mutex);
    node_.reset();
  }

  VfsAttributes attributes() override {
    std::lock_guard lock(owner_->mutex);
    return node_->about;
  }
  std::size_t read(std::uint64_t offset, std::span<std::byte> buffer) override {
    std::lock_guard lock(owner_->mutex);
    if (offset >= node_->content.size()) return 0;
    const auto text = std::string_view(node_->content).substr(static_cast<std::size_t>(offset));
    const auto bytes = std::as_bytes(std::span(text.data(), text.size()));
    const std::size_t count = std::min(bytes.size(), buffer.size());
    std::ranges::copy(bytes.first(count), buffer.begin());
    return count;
  }
  std::size_t write(std::uint64_t offset, std::span<const std::byte> bytes) override {
    std::lock_guard lock(owner_->mutex);
    if (!how_.write) vfs_fail(EBADF);
    if (how_.append) offset = node_->content.size();
    if (offset > kMaxFile) vfs_fail(EFBIG);
    if (offset + bytes.size() > node_->content.size()) {
      owner_->resize(*node_, offset + bytes.size());
    }
    node_->content.replace(static_cast<std::size_t>(offset), bytes.size(),
                           reinterpret_cast<const char*>(bytes.data()), bytes.size());
    node_->about.modified = now();
    return bytes.size();
  }
  void truncate(std::uint64_t size) override {
    std::lock_guard lock(owner_->mutex);
    if (!how_.write) vfs_fail(EBADF);
    owner_->resize(*node_, size);
  }

 private:
  std::shared_ptr<Impl> owner_;
  NodePtr node_;
  VfsOpen how_;
};

std::unique_ptr<VfsFile> MemoryProvider::Impl::open(NodePtr node, const VfsOpen& how) {
  if (node->about.type == FileType::kDirectory) vfs_fail(EISDIR);
  if (node->about.type == FileType::kSymlink) vfs_fail(ELOOP);
  if (how.truncate) resize(*node, 0);
  return std::make_unique<File>(shared_from_this(), std::move(node), how);
}

MemoryProvider::MemoryProvider(std::size_t max_bytes, std::size_t max_files)
    : impl_(std::make_shared<Impl>(max_bytes, max_files)) {
  impl_->make_root();
}

MemoryProvider::~MemoryProvider() = default;

void MemoryProvider::put(const std::string& path, std::string content, std::uint32_t permissions) {
  std::lock_guard lock(impl_->mutex);
  if (path.empty() || path.front() != '/') {
    throw ApiError(ApiErrorCode::kInvalidArgument, "not an absolute path: '" + path + "'");
  }
  for (std::size_t slash = path.find('/', 1); slash != path.npos;
       slash = path.find('/', slash + 1)) {
    const auto above = impl_->place(path.substr(0, slash));
    if (above.node()) continue;
    above.put(impl_->make({.type = FileType::kDirectory, .permissions = 0755}));
  }
  const auto to = impl_->place(path);
  auto node = to.node();
  if (!node) {
    node = impl_->make({.type = FileType::kFile, .permissions = permissions});
    to.put(node);
  }
  if (node->about.type != FileType::kFile) vfs_fail(EEXIST);
  impl_->resize(*node, content.size());
  node->content = std::move(content);
  node->about.permissions = permissions & kPermissions;
}

std::string MemoryProvider::get(const std::string& path) {
  std::lock_guard lock(impl_->mutex);
  const auto node = impl_->at(path);
  if (node->about.type != FileType::kFile) vfs_fail(ENOENT);
  return node->content;
}

VfsAttributes MemoryProvider::attributes(const std::string& path) {
  std::lock_guard lock(impl_->mutex);
  return impl_->at(path)->about;
}

std::vector<FileEntry> MemoryProvider::list(const std::string& path) {
  std::lock_guard lock(impl_->mutex);
  const auto node = impl_->at(path);
  if (node->about.type != FileType::kDirectory) vfs_fail(ENOTDIR);
  std::vector<FileEntry> entries;
  for (const auto& [name, entry] : node->entries)
    entries.push_back({name, entry->about.type});
  return entries;
}

std::unique_ptr<VfsFile> MemoryProvider::open(const std::string& path, const VfsOpen& how) {
  std::lock_guard lock(impl_->mutex);
  return impl_->open(impl_->at(path), how);
}

std::unique_ptr<VfsFile> MemoryProvider::create(const std::string& path, std::uint32_t permissions,
                                                const VfsOpen& how) {
  std::lock_guard lock(impl_->mutex);
  auto node = impl_->add(path, {.type = FileType::kFile, .permissions = permissions});
  return impl_->open(std::move(node), how);
}

void MemoryProvider::make_directory(const std::string& path, std::uint32_t permissions) {
  std::lock_guard lock(impl_->mutex);
  impl_->add(path, {.type = FileType::kDirectory, .permissions = permissions});
}

void MemoryProvider::remove_file(const std::string& path) {
  std::lock_guard lock(impl_->mutex);
  const auto at = impl_->place(path);
  if (at.existing()->about.type == FileType::kDirectory) vfs_fail(EISDIR);
  at.erase();
}

void MemoryProvider::remove_directory(const std::string& path) {
  std::lock_guard lock(impl_->mutex);
  const auto at = impl_->place(path);
  const auto node = at.existing();
  if (node->about.type != FileType::kDirectory) vfs_fail(ENOTDIR);
  if (!node->entries.empty()) vfs_fail(ENOTEMPTY);
  at.erase();
}

void MemoryProvider::rename(const std::string& from, const std::string& to, VfsRename mode) {
  std::lock_guard lock(impl_->mutex);
  if (to.starts_with(from + "/")) vfs_fail(EINVAL);
  const auto source = impl_->place(from);
  const auto target = impl_->place(to);
  auto node = source.existing();
  auto other = target.node();
  if (node == other) return;
  if (other && mode == VfsRename::kNoReplace) vfs_fail(EEXIST);
  if (mode == VfsRename::kExchange) {
    if (!other) vfs_fail(ENOENT);
    if (from.starts_with(to + "/")) vfs_fail(EINVAL);
    source.put(std::move(other));
    return target.put(std::move(node));
  }
  if (other) {
    const bool directory = node->about.type == FileType::kDirectory;
    const bool onto_directory = other->about.type == FileType::kDirectory;
    if (onto_directory && !directory) vfs_fail(EISDIR);
    if (directory && !onto_directory) vfs_fail(ENOTDIR);
    if (!other->entries.empty()) vfs_fail(ENOTEMPTY);
  }
  target.put(std::move(node));
  source.erase();
}

void MemoryProvider::change(const std::string& path, const VfsChanges& changes) {
  std::lock_guard lock(impl_->mutex);
  const auto node = impl_->at(path);
  if (changes.size && node->about.type != FileType::kFile) vfs_fail(EISDIR);
  if (changes.size) impl_->resize(*node, *changes.size);
  VfsAttributes& about = node->about;
  if (changes.permissions) about.permissions = *changes.permissions & kPermissions;
  about.uid = changes.uid.value_or(about.uid);
  about.gid = changes.gid.value_or(about.gid);
  about.modified = changes.modified.value_or(about.modified);
}

std::string MemoryProvider::read_link(const std::string& path) {
  std::lock_guard lock(impl_->mutex);
  const auto node = impl_->at(path);
  if (node->about.type != FileType::kSymlink) vfs_fail(EINVAL);
  return node->content;
}

void MemoryProvider::make_link(const std::string& path, const std::string& target) {
  std::lock_guard lock(impl_->mutex);
  impl_->add(path, {.type = FileType::kSymlink, .permissions = 0777}, target);
}

VfsUsage MemoryProvider::usage() {
  std::lock_guard lock(impl_->mutex);
  return impl_->usage();
}

}  // namespace gondolin
