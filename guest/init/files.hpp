// Small files, read and written whole.
#pragma once

#include <string>
#include <string_view>

#include "base/result.hpp"

namespace gondolin::init {

// The content of a file such as those of /proc and /sys.
[[nodiscard]] Result<std::string> read_file(const char* path);

// Replaces what an existing file holds, with one write(2).
[[nodiscard]] Status write_file(const char* path, std::string_view content);

// Makes a directory of mode 0755; one that exists is left as it is.
[[nodiscard]] Status make_directory(const char* path);

}  // namespace gondolin::init
