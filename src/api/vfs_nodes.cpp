#include "api/vfs_nodes.hpp"

#include <algorithm>
#include <cerrno>
#include <utility>
#include <vector>

namespace gondolin::api {
namespace {

using vfs::failed;

constexpr std::uint64_t kRoot = static_cast<std::uint64_t>(vfs::kRootNode);
constexpr std::size_t kMaxPath = 4095;

std::uint64_t value_of(vfs::NodeId node) {
  return static_cast<std::uint64_t>(node);
}

}  // namespace

vfs::Outcome<std::string> VfsNodes::path(vfs::NodeId node) const {
  std::lock_guard lock(mutex_);
  std::vector<const std::string*> names;
  std::size_t size = 0;
  for (std::uint64_t id = value_of(node); id != kRoot;) {
    auto found = nodes_.find(id);
    if (found == nodes_.end()) return failed(ESTALE);
    const Place* place = found->second.place;
    if (place == nullptr) return failed(ENOENT);
    names.push_back(&place->name);
    size += place->name.size() + 1;
    if (size > kMaxPath) return failed(ENAMETOOLONG);
    id = place->parent;
  }
  if (names.empty()) return "/";
  std::string path;
  path.reserve(size);
  for (auto name = names.rbegin(); name != names.rend(); ++name) {
    path += '/';
    path += **name;
  }
  return path;
}

vfs::Outcome<std::string> VfsNodes::path(vfs::NodeId parent, std::string_view name) const {
  auto directory = path(parent);
  if (!directory) return directory;
  if (*directory != "/") *directory += '/';
  *directory += name;
  if (directory->size() > kMaxPath) return failed(ENAMETOOLONG);
  return directory;
}

std::optional<std::uint64_t> VfsNodes::find(vfs::NodeId parent, std::string_view name) const {
  auto found = places_.find({value_of(parent), std::string(name)});
  if (found == places_.end()) return std::nullopt;
  return found->second;
}

vfs::Outcome<vfs::NodeId> VfsNodes::remember(vfs::NodeId parent, std::string_view name,
                                             vfs::NodeKind kind) {
  std::lock_guard lock(mutex_);
  if (value_of(parent) != kRoot && !nodes_.contains(value_of(parent))) return failed(ESTALE);
  auto id = find(parent, name);
  if (id && nodes_.at(*id).kind != kind) {
    unplace(*id);
    drop_if_unused(*id);
    id.reset();
  }
  if (!id) {
    if (nodes_.size() >= max_names_) return failed(ENFILE);
    id = ++last_id_;
    nodes_[*id].kind = kind;
    place(*id, {value_of(parent), std::string(name)});
  }
  ++nodes_.at(*id).lookups;
  return vfs::NodeId{*id};
}

void VfsNodes::forget(vfs::NodeId node, std::uint64_t count) {
  std::lock_guard lock(mutex_);
  auto found = nodes_.find(value_of(node));
  if (found == nodes_.end()) return;
  found->second.lookups -= std::min(count, found->second.lookups);
  drop_if_unused(found->first);
}

void VfsNodes::removed(vfs::NodeId parent, std::string_view name) {
  std::lock_guard lock(mutex_);
  auto id = find(parent, name);
  if (!id) return;
  unplace(*id);
  drop_if_unused(*id);
}

void VfsNodes::renamed(vfs::NodeId parent, std::string_view name, vfs::NodeId new_parent,
                       std::string_view new_name, vfs::RenameMode mode) {
  std::lock_guard lock(mutex_);
  const auto one = find(parent, name);
  const auto other = find(new_parent, new_name);
  if (one && other && *one == *other) return;
  if (one) unplace(*one);
  if (other) unplace(*other);
  if (one) place(*one, {value_of(new_parent), std::string(new_name)});
  if (other && mode == vfs::RenameMode::kExchange) {
    place(*other, {value_of(parent), std::string(name)});
  } else if (other) {
    drop_if_unused(*other);
  }
}

void VfsNodes::clear() {
  std::lock_guard lock(mutex_);
  nodes_.clear();
  places_.clear();
}

std::size_t VfsNodes::size() const {
  std::lock_guard lock(mutex_);
  return nodes_.size();
}

// A provider that renames a directory over one above it may have made either of these
// vanish already.
void VfsNodes::place(std::uint64_t id, Place at) {
  auto found = nodes_.find(id);
  if (found == nodes_.end()) return;
  if (at.parent != kRoot) {
    // A directory that the guest's kernel has forgotten has nothing below it to be found.
    auto above = nodes_.find(at.parent);
    if (above == nodes_.end()) return;
    ++above->second.children;
  }
  auto placed = places_.emplace(std::move(at), id).first;
  found->second.place = &placed->first;
}

void VfsNodes::unplace(std::uint64_t id) {
  auto found = nodes_.find(id);
  if (found == nodes_.end()) return;
  const Place* place = std::exchange(found->second.place, nullptr);
  if (place == nullptr) return;
  const std::uint64_t parent = place->parent;
  places_.erase(places_.find(*place));
  auto above = nodes_.find(parent);
  if (above == nodes_.end()) return;
  --above->second.children;
  drop_if_unused(parent);
}

// With what is above it, as far as only it was held by what is dropped.
void VfsNodes::drop_if_unused(std::uint64_t id) {
  auto found = nodes_.find(id);
  if (found == nodes_.end() || found->second.lookups > 0 || found->second.children > 0) return;
  unplace(id);
  nodes_.erase(id);
}

}  // namespace gondolin::api
