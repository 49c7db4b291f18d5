// The mounts that a user asks for: checked, ordered, and whether ingress can be with them.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "gondolin/vfs.hpp"

namespace gondolin::api {

// The mounts with their paths in one form (no double or trailing slashes), those that lie
// below others behind them. Throws kInvalidArgument for a path that is not absolute, is "/",
// has "." or ".." in it or is there twice, for no provider, and for a number out of range.
[[nodiscard]] std::vector<VfsMount> checked_mounts(std::vector<VfsMount> mounts);

// The path of the mount that hides /etc/gondolin, or a part of it, from the guest.
[[nodiscard]] std::optional<std::string> covers_config(const std::vector<VfsMount>& mounts);

}  // namespace gondolin::api
