// The public face of the image room.

#include "gondolin/image.hpp"

#include <algorithm>
#include <cstdlib>
#include <optional>
#include <sstream>

#include "api/convert.hpp"
#include "image/builder.hpp"
#include "image/files.hpp"
#include "image/locations.hpp"
#include "image/store.hpp"
#include "image/tag.hpp"

namespace gondolin {

namespace {

using api::value_or_throw;

image::Watcher watcher_of(const ImageProgressSink& progress, const ImageCancellation& cancelled) {
  image::Watcher watcher{.progress = {}, .cancelled = cancelled};
  if (progress) {
    watcher.progress = [&progress](image::ProgressKind kind, std::string_view text) {
      progress({kind == image::ProgressKind::kStage ? ImageProgress::Kind::kStage
                                                    : ImageProgress::Kind::kDetail,
                std::string(text)});
    };
  }
  return watcher;
}

// The files to boot from, seen to be what they were built as and kept for as long as a start
// may take.
ImageFiles files_of(const image::Store& store, const image::Manifest& manifest) {
  store.mark_used(manifest.id());
  value_or_throw(store.check_image(manifest));
  return {.id = manifest.id(),
          .kernel = store.blob_path(manifest.kernel()),
          .initramfs = store.blob_path(manifest.initramfs),
          .root = store.blob_path(manifest.base.root),
          .manifest = store.manifest_path(manifest.id())};
}

ImageInfo info_of(const image::Manifest& manifest) {
  const image::RootBuild& base = manifest.base;
  return {.id = manifest.id(),
          .tags = {},
          .created = std::chrono::system_clock::from_time_t(image::seconds_of(manifest.created)),
          .size = manifest.kernel().size + base.root.size + manifest.initramfs.size,
          .requested = base.recipe.requested,
          .kernel = manifest.minimal_kernel ? ImageKernel::kMinimal : ImageKernel::kStock,
          .kernel_release = manifest.kernel_release()};
}

image::KernelChoice choice_of(ImageKernel kernel) {
  switch (kernel) {
    case ImageKernel::kMinimal:
      return image::KernelChoice::kMinimal;
    case ImageKernel::kStock:
      return image::KernelChoice::kStock;
    case ImageKernel::kAuto:
      break;
  }
  return image::KernelChoice::kAuto;
}

std::optional<image::Manifest> pins_of(const ImageBuildOptions& options) {
  if (options.pins.empty()) return std::nullopt;
  if (!options.packages.empty() || options.kernel != ImageKernel::kAuto)
    throw ApiError(ApiErrorCode::kInvalidArgument, "pins say what packages and kernel are");
  return value_or_throw(image::Manifest::parse(options.pins));
}

// Mirrors nearer than Debian's own, or than those of the pins.
image::Mirrors mirrors_for(const std::optional<image::Manifest>& pins) {
  image::Mirrors mirrors;
  if (pins) {
    const image::Recipe& recipe = pins->base.recipe;
    mirrors = {.debian = recipe.mirror, .security = recipe.security_mirror};
  }
  if (const char* debian = std::getenv("GONDOLIN_DEBIAN_MIRROR")) mirrors.debian = debian;
  if (const char* security = std::getenv("GONDOLIN_DEBIAN_SECURITY_MIRROR"))
    mirrors.security = security;
  return mirrors;
}

image::StoreLock lock_store(const image::Store& store) {
  return value_or_throw(store.lock({}, {}));
}

}  // namespace

ImageStore::ImageStore(const ImageStoreOptions& options)
    : store_(options.store.empty() ? value_or_throw(image::default_store())
                                   : std::filesystem::absolute(options.store)),
      guest_dir_(options.guest_dir.empty() ? value_or_throw(image::default_guest_directory())
                                           : std::filesystem::absolute(options.guest_dir)) {}

ImageFiles ImageStore::build(const ImageBuildOptions& options, const ImageProgressSink& progress,
                             const ImageCancellation& cancelled) {
  const image::Store store(store_);
  const auto pins = pins_of(options);
  const image::BuildRequest request{.packages = options.packages,
                                    .mirrors = mirrors_for(pins),
                                    .pins = pins,
                                    .tag = value_or_throw(image::normalize_tag(options.tag)),
                                    .freshness = options.freshness == ImageFreshness::kUpdate
                                                     ? image::Freshness::kUpdate
                                                     : image::Freshness::kReuse,
                                    .kernel = choice_of(options.kernel)};
  return files_of(store, value_or_throw(image::build_image(store, guest_dir_, request,
                                                           watcher_of(progress, cancelled))));
}

ImageFiles ImageStore::resolve(std::string_view ref) const {
  const image::Store store(store_);
  return files_of(store, value_or_throw(store.read_manifest(value_or_throw(store.find(ref)))));
}

ImageFiles ImageStore::ensure(std::string_view ref, const ImageProgressSink& progress,
                              const ImageCancellation& cancelled) {
  const image::Store store(store_);
  const auto tag = image::normalize_tag(ref);
  const auto tags = value_or_throw(store.tags());
  if (tag && tags.contains(*tag)) {
    return files_of(store, value_or_throw(image::refresh_image(store, guest_dir_, tags.at(*tag),
                                                               watcher_of(progress, cancelled))));
  }
  if (tag == std::string(kDefaultImage)) return build({}, progress, cancelled);
  return resolve(ref);
}

std::vector<ImageInfo> ImageStore::list() const {
  const image::Store store(store_);
  const auto tags = value_or_throw(store.tags());
  std::vector<ImageInfo> images;
  for (const std::string& id : value_or_throw(store.ids())) {
    const auto manifest = store.read_manifest(id);
    if (!manifest) continue;  // verify() says what is wrong with it
    ImageInfo info = info_of(*manifest);
    for (const auto& [tag, named] : tags)
      if (named == id) info.tags.push_back(tag);
    images.push_back(std::move(info));
  }
  std::ranges::sort(images, std::ranges::greater(), &ImageInfo::created);
  return images;
}

std::string ImageStore::inspect(std::string_view ref) const {
  const image::Store store(store_);
  return value_or_throw(image::read_file(store.manifest_path(value_or_throw(store.find(ref)))));
}

std::string ImageStore::sbom(std::string_view ref) const {
  const image::Store store(store_);
  return value_or_throw(store.read_sbom(value_or_throw(store.find(ref))));
}

void ImageStore::tag(std::string_view ref, std::string_view tag) {
  const image::Store store(store_);
  const std::string name = value_or_throw(image::normalize_tag(tag));
  const auto lock = lock_store(store);
  value_or_throw(store.set_tag(name, value_or_throw(store.find(ref))));
  static_cast<void>(value_or_throw(store.collect_garbage()));
}

std::uint64_t ImageStore::remove(std::string_view ref) {
  const image::Store store(store_);
  const auto lock = lock_store(store);
  const std::string id = value_or_throw(store.find(ref));
  const auto tags = value_or_throw(store.tags());
  const auto tag = image::normalize_tag(ref);
  const bool by_tag = tag && tags.contains(*tag);
  const auto names =
      std::ranges::count(tags, id, &std::pair<const std::string, std::string>::second);
  if (by_tag && names > 1) {
    value_or_throw(store.remove_tag(*tag));
  } else {
    value_or_throw(store.remove_image(id));
  }
  return value_or_throw(store.collect_garbage());
}

std::vector<ImageProblem> ImageStore::verify(std::string_view ref) const {
  const image::Store store(store_);
  const auto ids =
      ref.empty() ? value_or_throw(store.ids()) : std::vector{value_or_throw(store.find(ref))};
  std::vector<ImageProblem> problems;
  for (const image::Problem& problem : value_or_throw(image::verify_images(store, ids)))
    problems.push_back({problem.image, problem.text});
  return problems;
}

}  // namespace gondolin
