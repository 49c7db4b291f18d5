// Debian's kernel files, made quicker to start.
#pragma once

#include <string>
#include <string_view>

#include "base/result.hpp"

namespace gondolin::image {

// The ELF kernel inside a bzImage (x86 boot protocol 2.08 and newer). QEMU starts
// it through its PVH entry, without the decompression that costs a quarter of a
// second under emulation. kUnavailable when the kernel is packed with something
// else than LZ4 or has no ELF image inside; it then has to be started as it is.
[[nodiscard]] Result<std::string> unpack_kernel(std::string_view bz_image);

// A module without the signature that Debian appended. An image is verified as a
// whole by its digests, and checking each signature again at every start takes
// longer than loading the module. Returns what it got when there is none.
[[nodiscard]] std::string_view without_signature(std::string_view module);

}  // namespace gondolin::image
