// Building an image again as it was: the packages of a build of the past, version by version,
// and the same bytes, or a sentence that says what of it there is no more.
//
// What is pinned comes from a manifest, which may be somebody else's: nothing in it is used
// before it was seen to be no more than a name, a version or an address.
#pragma once

#include <cstdint>
#include <string>

#include "base/result.hpp"
#include "image/manifest.hpp"

namespace gondolin::image {

// Whether this program can build what `pins` describe. `script_sha256` is of its build script.
[[nodiscard]] Status check_pins(const RootBuild& pins, const std::string& script_sha256);

// For the build script: its file of pins, and the newest moment that any file may carry.
[[nodiscard]] std::string pin_lines(const RootBuild& pins);
[[nodiscard]] std::int64_t pinned_epoch(const RootBuild& pins);

// Fails, with a sentence that says what is different, when the packages that the archive gave
// are not those that are pinned. `packages` and `package_sha256` are as in RootBuild.
[[nodiscard]] Status check_packages(const RootBuild& pins, const RootBuild& built);
// The same for the files that were made of them.
[[nodiscard]] Status check_outcome(const RootBuild& pins, const RootBuild& built);
// The same for a kernel of ours.
[[nodiscard]] Status check_kernel(const KernelBuild& pinned, const KernelBuild& built);

}  // namespace gondolin::image
