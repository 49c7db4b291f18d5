// Names of images.
#pragma once

#include <string>
#include <string_view>

#include "base/result.hpp"

namespace gondolin::image {

// NAME:VERSION of what may be written NAME (then the version is "latest") or
// NAME:VERSION: letters, digits, '.', '_' and '-', not first '.' or '-', each at
// most 128 long. kInvalidArgument otherwise.
[[nodiscard]] Result<std::string> normalize_tag(std::string_view text);

// Whether `text` may be an id or the beginning of one: 6 to 64 lower-case hex digits.
[[nodiscard]] bool looks_like_id(std::string_view text);

// The name of a Debian package as Debian Policy 5.6.7 has it; kInvalidArgument
// otherwise, so that none can be an option or a list to the programs it goes to.
[[nodiscard]] Status check_package_name(std::string_view name);

}  // namespace gondolin::image
