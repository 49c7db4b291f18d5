// SHA-256, for names and for checks of small files.
#pragma once

#include <string>
#include <string_view>

namespace gondolin::vm {

// 64 hex digits.
[[nodiscard]] std::string sha256(std::string_view content);

}  // namespace gondolin::vm
