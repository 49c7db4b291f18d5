// What a file looks like to stat(2): device, inode, size and the times of its last changes.
//
// While a file looks the same it holds the same, for every write moves the time of change,
// which nobody but the kernel sets; but a change right after another may have the same time,
// so a look is only good for a record once the file has settled.
#pragma once

#include <filesystem>
#include <string>

#include "base/result.hpp"

namespace gondolin::image {

struct FileLook {
  std::string text;      // one line
  bool settled = false;  // whether a change from now on would show in the text
};

[[nodiscard]] Result<FileLook> look_at(const std::filesystem::path& file);

}  // namespace gondolin::image
