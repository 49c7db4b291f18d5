// The books of FileTable: every File in files_ has a name in names_, or is open, or
// both; total_size_ is the sum of their contents.
#include "vfs/file_table.hpp"

#include <algorithm>
#include <utility>

#include "base/check.hpp"

namespace gondolin::vfs {
namespace {

// Bytes a small file may hold in reserve, so that truncated files hold next to nothing.
constexpr std::size_t kSpare = 4096;

}  // namespace

File* FileTable::at(NodeId node) {
  auto found = files_.find(node);
  return found == files_.end() ? nullptr : &found->second;
}

File* FileTable::named(std::string_view name) {
  auto found = names_.find(name);
  return found == names_.end() ? nullptr : found->second;
}

File& FileTable::add(std::string_view name, Time now) {
  const NodeId node{next_node_++};
  File& file = files_[node];
  file.node = node;
  file.accessed = file.modified = now;
  give_name(file, name, now);
  return file;
}

void FileTable::give_name(File& file, std::string_view name, Time now) {
  const bool is_free = names_.emplace(name, &file).second;
  GONDOLIN_CHECK(is_free);
  file.name = name;
  file.position = next_position_++;
  file.changed = now;
}

void FileTable::rename(File& file, std::string_view name, Time now) {
  if (file.name == name) return;
  if (File* replaced = named(name)) unlink(*replaced, now);
  names_.erase(file.name);
  give_name(file, name, now);
}

void FileTable::exchange(File& one, File& other, Time now) {
  GONDOLIN_CHECK(&one != &other);
  const std::string name = std::exchange(one.name, {});
  const std::string other_name = std::exchange(other.name, {});
  names_.erase(name);
  names_.erase(other_name);
  give_name(one, other_name, now);
  give_name(other, name, now);
}

void FileTable::unlink(File& file, Time now) {
  names_.erase(file.name);
  file.name.clear();
  file.changed = now;
  if (file.open > 0) return;
  total_size_ -= file.content.size();
  files_.erase(file.node);
}

void FileTable::closed(File& file) {
  GONDOLIN_CHECK(file.open > 0);
  if (--file.open > 0 || !file.name.empty()) return;
  total_size_ -= file.content.size();
  files_.erase(file.node);
}

void FileTable::close_all() {
  for (auto at = files_.begin(); at != files_.end();) {
    at->second.open = 0;
    if (at->second.name.empty()) {
      total_size_ -= at->second.content.size();
      at = files_.erase(at);
    } else {
      ++at;
    }
  }
}

void FileTable::resize(File& file, std::size_t size, Time now) {
  total_size_ = total_size_ - file.content.size() + size;
  file.content.resize(size);
  if (file.content.capacity() > 2 * size + kSpare) file.content.shrink_to_fit();
  file.modified = file.changed = now;
}

void FileTable::write(File& file, std::size_t offset, Bytes data, Time now) {
  resize(file, std::max(file.content.size(), offset + data.size()), now);
  file.content.replace(offset, data.size(), as_text(data));
}

void FileTable::assign(File& file, std::string content, Time now) {
  total_size_ = total_size_ - file.content.size() + content.size();
  file.content = std::move(content);
  file.modified = file.changed = now;
}

std::vector<const File*> FileTable::listing() const {
  std::vector<const File*> files;
  files.reserve(names_.size());
  for (const auto& [name, file] : names_)
    files.push_back(file);
  std::ranges::sort(files, {}, &File::position);
  return files;
}

}  // namespace gondolin::vfs
