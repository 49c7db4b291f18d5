#include "io/link_path.hpp"

#include <algorithm>
#include <deque>
#include <system_error>

namespace gondolin {

namespace fs = std::filesystem;

namespace {

constexpr int kMostLinks = 40;  // as many as Linux follows

void add(std::vector<fs::path>& names, const fs::path& name) {
  if (std::ranges::find(names, name) == names.end()) names.push_back(name);
}

}  // namespace

std::vector<fs::path> names_on_the_way(const fs::path& file) {
  std::vector<fs::path> names{file};
  std::deque<fs::path> ahead(file.begin(), file.end());
  fs::path reached;
  int links = 0;
  while (!ahead.empty()) {
    const fs::path part = ahead.front();
    ahead.pop_front();
    if (part.empty() || part == ".") continue;
    if (part == "..") {
      reached = reached.parent_path();
      continue;
    }
    const fs::path next = reached / part;
    std::error_code error;
    const fs::path target = fs::read_symlink(next, error);
    if (error) {  // no link
      reached = next;
      continue;
    }
    add(names, next);
    if (++links > kMostLinks) return names;
    if (target.is_absolute()) reached.clear();
    ahead.insert(ahead.begin(), target.begin(), target.end());
  }
  add(names, reached);
  return names;
}

}  // namespace gondolin
