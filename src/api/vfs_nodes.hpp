// The names that a guest's kernel holds of a mount, and the paths they stand for.
//
// The kernel names a file by a number that it got from a lookup, until it forgets it as
// often as it looked it up. A provider knows paths. So each number is kept with its parent
// and name, from which its path is put together anew each time: moving a directory moves
// what is below it.
//
// The guest is hostile: what it forgets and never looked up, and numbers it makes up, do
// no harm, and what it never forgets is bounded. Any thread may call.
#pragma once

#include <cstddef>
#include <cstdint>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

#include "vfs/types.hpp"

namespace gondolin::api {

class VfsNodes {
 public:
  explicit VfsNodes(std::size_t max_names) : max_names_(max_names) {}

  // ESTALE for a number that stands for nothing, ENOENT for one whose name (or that of a
  // directory above it) was removed, ENAMETOOLONG beyond 4,095 bytes.
  [[nodiscard]] vfs::Outcome<std::string> path(vfs::NodeId node) const;
  // The path of `name` in the directory `parent`.
  [[nodiscard]] vfs::Outcome<std::string> path(vfs::NodeId parent, std::string_view name) const;

  // The number of `name` in `parent`, looked up once more. It is another than before when
  // the kind is another: a kernel does not take a file for a directory. ENFILE when there
  // are too many.
  [[nodiscard]] vfs::Outcome<vfs::NodeId> remember(vfs::NodeId parent, std::string_view name,
                                                   vfs::NodeKind kind);
  void forget(vfs::NodeId node, std::uint64_t count);

  // What a success of the provider did.
  void removed(vfs::NodeId parent, std::string_view name);
  void renamed(vfs::NodeId parent, std::string_view name, vfs::NodeId new_parent,
               std::string_view new_name, vfs::RenameMode mode);

  // Another mount begins.
  void clear();

  [[nodiscard]] std::size_t size() const;

 private:
  struct Place {
    std::uint64_t parent = 0;
    std::string name;
    bool operator==(const Place&) const = default;
  };
  struct PlaceHash {
    std::size_t operator()(const Place& place) const {
      return std::hash<std::string>{}(place.name) ^ (place.parent * 0x9e3779b97f4a7c15ULL);
    }
  };
  struct Node {
    const Place* place = nullptr;  // in places_; null once it was removed
    vfs::NodeKind kind = vfs::NodeKind::kFile;
    std::uint64_t lookups = 0;
    std::uint64_t children = 0;  // entries of places_ below it
  };

  // The mutex is held in all of these.
  void place(std::uint64_t id, Place at);
  void unplace(std::uint64_t id);
  void drop_if_unused(std::uint64_t id);
  [[nodiscard]] std::optional<std::uint64_t> find(vfs::NodeId parent, std::string_view name) const;

  const std::size_t max_names_;
  mutable std::mutex mutex_;
  std::unordered_map<std::uint64_t, Node> nodes_;  // the root is not among them
  std::unordered_map<Place, std::uint64_t, PlaceHash> places_;
  std::uint64_t last_id_ = static_cast<std::uint64_t>(vfs::kRootNode);
};

}  // namespace gondolin::api
