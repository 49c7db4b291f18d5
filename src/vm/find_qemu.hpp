// Where QEMU is.
#pragma once

#include <filesystem>

#include "base/result.hpp"

namespace gondolin::vm {

// The program that GONDOLIN_QEMU names (a path, or a name to look up in PATH), else
// qemu-system-x86_64 from PATH. kUnavailable, with the package to install, when there
// is none.
[[nodiscard]] Result<std::filesystem::path> find_qemu();

}  // namespace gondolin::vm
