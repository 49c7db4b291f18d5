// images/debian/build-root.sh, compiled in.
#pragma once

#include <string_view>

namespace gondolin::image {

extern const std::string_view kBuildScript;

}  // namespace gondolin::image
