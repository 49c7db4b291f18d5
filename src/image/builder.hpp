// Whole images: the root file system, the kernel and the initramfs, each built only
// when its inputs changed.
#pragma once

#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "image/manifest.hpp"
#include "image/root_builder.hpp"
#include "image/store.hpp"

namespace gondolin::image {

enum class Freshness { kReuse, kUpdate };

// kAuto is ours when one with the options of this program is in the store, else Debian's.
enum class KernelChoice { kAuto, kMinimal, kStock };

struct BuildRequest {
  std::vector<std::string> packages;
  Mirrors mirrors;
  std::optional<Manifest> pins =
      std::nullopt;  // instead of packages and kernel: what to make again
  std::string tag;   // as normalize_tag() gives it
  Freshness freshness = Freshness::kReuse;
  KernelChoice kernel = KernelChoice::kAuto;
};

struct Watcher {
  Progress progress;
  Cancelled cancelled;
};

// Builds what is missing, makes the tag name the result and drops what no tag
// names any more.
[[nodiscard]] Result<Manifest> build_image(const Store& store,
                                           const std::filesystem::path& guest_directory,
                                           const BuildRequest& request, const Watcher& watcher);

// The image that a tag names, with the guest programs of `guest_directory` in it:
// if they changed, a new image that takes over all tags of the old one.
[[nodiscard]] Result<Manifest> refresh_image(const Store& store,
                                             const std::filesystem::path& guest_directory,
                                             const std::string& id, const Watcher& watcher);

struct Problem {
  std::string image;
  std::string text;
};

// Hashes the blobs of these images anew, each once, and reports what is not as it
// should be.
[[nodiscard]] Result<std::vector<Problem>> verify_images(const Store& store,
                                                         const std::vector<std::string>& ids);

}  // namespace gondolin::image
