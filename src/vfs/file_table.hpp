// Files in memory under the names of one flat directory. It keeps the books (names,
// open counts, the bytes held) and knows no permissions, limits or events; those
// are ConfigDirectory's.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/bytes.hpp"
#include "vfs/types.hpp"

namespace gondolin::vfs {

struct File {
  NodeId node{};
  std::string name;            // empty once unlinked
  std::uint64_t position = 0;  // in the directory: grows with each name given
  std::string content;         // changed through FileTable only
  std::uint32_t permissions = 0644;
  std::uint32_t uid = 0;
  std::uint32_t gid = 0;
  Time accessed;
  Time modified;
  Time changed;
  unsigned open = 0;       // handles
  bool overflown = false;  // a write was refused for its size; the content is no whole edit
};

class FileTable {
 public:
  // Nodes are numbered from `first_node` on and never again; positions start at
  // `first_position`.
  FileTable(NodeId first_node, std::uint64_t first_position)
      : next_node_(static_cast<std::uint64_t>(first_node)), next_position_(first_position) {}

  // Null when there is none. A file stays where it is until it is destroyed.
  [[nodiscard]] File* at(NodeId node);
  [[nodiscard]] File* named(std::string_view name);

  // Makes an empty file; nothing may have the name.
  File& add(std::string_view name, Time now);
  // Gives the file the name, which a file that had it loses.
  void rename(File& file, std::string_view name, Time now);
  void exchange(File& one, File& other, Time now);
  // Takes the file's name; it is destroyed unless it is open.
  void unlink(File& file, Time now);

  void opened(File& file) { ++file.open; }
  // Destroys the file if this was its last handle and it has no name.
  void closed(File& file);
  // Every handle is gone at once.
  void close_all();

  // The caller has checked that `size`, and `offset` + data, are within limits.
  void resize(File& file, std::size_t size, Time now);
  void write(File& file, std::size_t offset, Bytes data, Time now);
  void assign(File& file, std::string content, Time now);

  // Files with names, files at all, and the bytes they hold.
  [[nodiscard]] std::size_t count() const { return files_.size(); }
  [[nodiscard]] std::size_t total_size() const { return total_size_; }
  // Those with names, by position.
  [[nodiscard]] std::vector<const File*> listing() const;

 private:
  void give_name(File& file, std::string_view name, Time now);

  std::unordered_map<NodeId, File> files_;
  std::map<std::string, File*, std::less<>> names_;
  std::size_t total_size_ = 0;
  std::uint64_t next_node_;
  std::uint64_t next_position_;
};

}  // namespace gondolin::vfs
