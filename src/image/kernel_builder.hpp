// A kernel of our own, made of Debian's linux-source package and the options of
// images/kernel/minimal.config: it starts in less than half the time of Debian's.
//
// It takes many minutes, so it is built once, kept in the store, and never waited for by
// anybody who did not ask for it.
#pragma once

#include <optional>

#include "base/result.hpp"
#include "image/manifest.hpp"
#include "image/root_builder.hpp"
#include "image/store.hpp"

namespace gondolin::image {

// What this machine would build. kUnavailable names the packages that are missing.
[[nodiscard]] Result<KernelRecipe> make_kernel_recipe(const Cancelled& cancelled);

// The newest kernel in the store that has the options of this program.
[[nodiscard]] Result<std::optional<KernelBuild>> find_kernel(const Store& store);

// The kernel of the recipe, from the store or built, which the store's lock must not be
// held for: others change the store meanwhile.
[[nodiscard]] Result<KernelBuild> provide_kernel(const Store& store, const KernelRecipe& recipe,
                                                 const Progress& progress,
                                                 const Cancelled& cancelled);

}  // namespace gondolin::image
