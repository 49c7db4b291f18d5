// Where the store and the guest programs are when nobody says.
#pragma once

#include <filesystem>

#include "base/result.hpp"

namespace gondolin::image {

// $GONDOLIN_IMAGE_STORE, else ${XDG_CACHE_HOME:-~/.cache}/gondolin/images.
[[nodiscard]] Result<std::filesystem::path> default_store();

// $GONDOLIN_GUEST_DIR, else beside the directory of the running program: ../guest
// in a build tree, ../libexec/gondolin where it is installed; else ../libexec/gondolin
// beside the shared library that this is in, else where an installation puts them.
[[nodiscard]] Result<std::filesystem::path> default_guest_directory();

}  // namespace gondolin::image
