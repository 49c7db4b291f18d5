// Files of the store: private to the user, and either whole and on the disk or
// not there at all.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

#include "base/result.hpp"

namespace gondolin::image {

// kNotFound when there is no such file.
[[nodiscard]] Result<std::string> read_file(const std::filesystem::path& path);

// Makes a file of mode 0600 with this content, flushed to the disk. It must not
// exist yet.
[[nodiscard]] Status create_file(const std::filesystem::path& path, std::string_view content);

// Makes `path` hold `content`, atomically: whoever opens it, even after a crash,
// finds the old content or the new. The callers of one path take turns. What is left
// of a writer that was killed begins with a dot.
[[nodiscard]] Status replace_file(const std::filesystem::path& path, std::string_view content);

// Makes a directory of mode 0700, and those above it. One that exists is left.
[[nodiscard]] Status make_private_directory(const std::filesystem::path& path);

// Flushes a file, or the names in a directory, to the disk.
[[nodiscard]] Status sync_path(const std::filesystem::path& path);

// rename(2), and then the names on both sides flushed.
[[nodiscard]] Status move_file(const std::filesystem::path& from, const std::filesystem::path& to);

// Removes a file or a whole directory; nothing to remove is fine.
[[nodiscard]] Status remove_tree(const std::filesystem::path& path);

}  // namespace gondolin::image
