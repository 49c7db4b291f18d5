// What is in an image, for programs that look for known faults and licences in it: an SPDX 2.3
// document, JSON.
//
// It is made of the manifest alone: the same image has the same document, and one that was
// lost can be made again.
#pragma once

#include <string>

#include "image/manifest.hpp"

namespace gondolin::image {

[[nodiscard]] std::string sbom(const Manifest& manifest);

}  // namespace gondolin::image
