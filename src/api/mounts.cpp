#include "api/mounts.hpp"

#include <algorithm>
#include <string_view>
#include <utility>

#include "gondolin/error.hpp"

namespace gondolin::api {
namespace {

constexpr std::string_view kConfig = "/etc/gondolin";
constexpr std::size_t kMaxPath = 4095;
constexpr unsigned kMostOpenFiles = 100'000;
constexpr unsigned kMostNames = 10'000'000;

[[noreturn]] void refuse(const std::string& path, const std::string& why) {
  throw ApiError(ApiErrorCode::kInvalidArgument, "cannot mount at '" + path + "': " + why);
}

std::string normalized(const std::string& path) {
  if (path.empty() || path.front() != '/') refuse(path, "the path is not absolute");
  if (path.size() > kMaxPath || path.find('\0') != path.npos) refuse(path, "no path of a guest");
  std::string result;
  for (std::size_t at = 0; at < path.size();) {
    const std::size_t end = std::min(path.find('/', at), path.size());
    const std::string part = path.substr(at, end - at);
    at = end + 1;
    if (part.empty()) continue;
    if (part == "." || part == "..") refuse(path, "'.' and '..' cannot be in it");
    result += '/' + part;
  }
  if (result.empty()) refuse(path, "the guest's root cannot be replaced");
  return result;
}

bool is_at_or_below(std::string_view path, std::string_view directory) {
  return path == directory || (path.starts_with(directory) && path[directory.size()] == '/');
}

}  // namespace

std::vector<VfsMount> checked_mounts(std::vector<VfsMount> mounts) {
  for (VfsMount& mount : mounts) {
    mount.path = normalized(mount.path);
    if (!mount.provider) refuse(mount.path, "there is no provider");
    if (mount.max_open_files < 1 || mount.max_open_files > kMostOpenFiles) {
      refuse(mount.path, "max_open_files is 1 to " + std::to_string(kMostOpenFiles));
    }
    if (mount.max_names < 1 || mount.max_names > kMostNames) {
      refuse(mount.path, "max_names is 1 to " + std::to_string(kMostNames));
    }
    if (mount.cache_validity.count() < 0) refuse(mount.path, "cache_validity is negative");
  }
  // What lies below another path is longer.
  std::ranges::sort(mounts, [](const VfsMount& one, const VfsMount& other) {
    return std::pair(one.path.size(), one.path) < std::pair(other.path.size(), other.path);
  });
  for (std::size_t i = 0; i < mounts.size(); ++i) {
    for (std::size_t j = 0; j < i; ++j) {
      if (mounts[i].path == mounts[j].path) refuse(mounts[i].path, "it is there twice");
    }
  }
  return mounts;
}

std::optional<std::string> covers_config(const std::vector<VfsMount>& mounts) {
  auto found = std::ranges::find_if(mounts, [](const VfsMount& mount) {
    return is_at_or_below(kConfig, mount.path) || is_at_or_below(mount.path, kConfig);
  });
  if (found == mounts.end()) return std::nullopt;
  return found->path;
}

}  // namespace gondolin::api
