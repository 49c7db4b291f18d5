// The slow half of an image: a Debian root file system, its kernel and modules,
// made by mmdebstrap in namespaces of its own (images/debian/build-root.sh).
#pragma once

#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "image/manifest.hpp"
#include "image/store.hpp"

namespace gondolin::image {

// What a build tells: a stage that begins, or where the stage is.
enum class ProgressKind { kStage, kDetail };
using Progress = std::function<void(ProgressKind, std::string_view)>;

// Where Debian comes from.
struct Mirrors {
  std::string debian = "http://deb.debian.org/debian";
  std::string security = "http://deb.debian.org/debian-security";
};

// The recipe of the standard image plus these packages.
[[nodiscard]] Result<Recipe> make_recipe(const std::vector<std::string>& packages,
                                         const Mirrors& mirrors);

// Whether this machine and user can build; kUnavailable names what to install or
// to set up.
[[nodiscard]] Status check_build_requirements();

struct RootPlan {
  Recipe recipe;
  Mirrors mirrors;                // to fetch from
  std::optional<RootBuild> pins;  // to come to the same once more; check_pins() passed it
};

// What these packages and mirrors ask for, or what `pins` do, from these mirrors.
[[nodiscard]] Result<RootPlan> plan_root(const std::vector<std::string>& packages,
                                         const Mirrors& mirrors,
                                         const std::optional<RootBuild>& pins);

// Builds in `work`, which must be empty, and moves the outcome into the store. The
// store's lock must be held.
[[nodiscard]] Result<RootBuild> build_root(const Store& store, const RootPlan& plan,
                                           const std::filesystem::path& work,
                                           const Progress& progress, const Cancelled& cancelled);

}  // namespace gondolin::image
