// The files that images are built with, compiled in.
#pragma once

#include <string_view>

namespace gondolin::image {

extern const std::string_view kBuildScript;   // images/debian/build-root.sh
extern const std::string_view kKernelScript;  // images/kernel/build-kernel.sh
extern const std::string_view kKernelConfig;  // images/kernel/minimal.config

}  // namespace gondolin::image
