#include "image/builder.hpp"

#include <map>
#include <optional>

#include "image/files.hpp"
#include "image/guest_note.hpp"
#include "image/guest_programs.hpp"
#include "image/kernel_builder.hpp"
#include "image/pins.hpp"

namespace gondolin::image {

namespace fs = std::filesystem;

namespace {

Result<StoreLock> lock_store(const Store& store, const Watcher& watcher) {
  const auto on_wait = [&] {
    if (watcher.progress)
      watcher.progress(ProgressKind::kStage, "Waiting for another build in this store");
  };
  return store.lock(on_wait, watcher.cancelled);
}

// Whether `build` is what was asked for, so that it need not be made.
bool answers(const RootPlan& plan, const RootBuild& build) {
  return build.recipe.key() == plan.recipe.key() &&
         (!plan.pins || check_outcome(*plan.pins, build).has_value());
}

// The root file system of the plan, from the store or built.
Result<RootBuild> provide_root(const Store& store, const RootPlan& plan, Freshness freshness,
                               const fs::path& work, const Watcher& watcher) {
  if (freshness == Freshness::kReuse)
    if (auto found = store.find_root(plan.recipe); found && answers(plan, *found)) return found;
  return build_root(store, plan, work, watcher.progress, watcher.cancelled);
}

// The kernel of ours that is asked for; none for Debian's.
Result<std::optional<KernelBuild>> choose_kernel(const Store& store, KernelChoice choice,
                                                 const Watcher& watcher) {
  switch (choice) {
    case KernelChoice::kAuto:
      return find_kernel(store);
    case KernelChoice::kMinimal:
      return make_kernel_recipe(watcher.cancelled).and_then([&](const KernelRecipe& recipe) {
        return provide_kernel(store, recipe, watcher.progress, watcher.cancelled)
            .transform([](KernelBuild build) { return std::optional(std::move(build)); });
      });
    case KernelChoice::kStock:
      break;
  }
  return std::nullopt;
}

// The kernel of the image that is to be made again: one that is there, or built anew.
Result<std::optional<KernelBuild>> pinned_kernel(const Store& store, const Manifest& pins,
                                                 const Watcher& watcher) {
  if (!pins.minimal_kernel) return std::nullopt;
  auto kernels = store.kernels();
  if (!kernels) return tl::unexpected(kernels.error());
  for (KernelBuild& each : *kernels)
    if (each.kernel == pins.minimal_kernel->kernel) return std::move(each);
  auto built = choose_kernel(store, KernelChoice::kMinimal, watcher);
  if (built)
    if (auto same = check_kernel(*pins.minimal_kernel, **built); !same)
      return tl::unexpected(same.error());
  return built;
}

std::string key_of(const std::optional<KernelBuild>& kernel) {
  return kernel ? kernel->recipe.key() : "";
}

// Puts the modules, which our kernel has none of, and the guest programs together; the
// same ones give the same image again.
Result<Manifest> assemble(const Store& store, const RootBuild& base,
                          const std::optional<KernelBuild>& kernel, const GuestPrograms& programs,
                          const fs::path& work) {
  if (!kernel)
    if (auto sound = store.check_blob(base.modules); !sound) return tl::unexpected(sound.error());
  Result<std::string> initramfs =
      kernel ? module_segment({}) : read_file(store.blob_path(base.modules));
  if (!initramfs) return tl::unexpected(initramfs.error());
  *initramfs += guest_segment(programs);
  if (auto created = create_file(work / "initramfs", *initramfs); !created)
    return tl::unexpected(created.error());
  auto blob = store.add_blob(work / "initramfs");
  if (!blob) return tl::unexpected(blob.error());

  Manifest manifest{.base = base,
                    .minimal_kernel = kernel,
                    .guest = digests(programs),
                    .initramfs = *blob,
                    .created = timestamp_now()};
  // An image that is there keeps the time it was made.
  if (auto existing = store.read_manifest(manifest.id()); existing) return existing;
  if (auto put = store.put_manifest(manifest); !put) return tl::unexpected(put.error());
  return manifest;
}

Status clean_up(const Store& store) {
  if (auto cleared = store.clear_work_directory(); !cleared) return cleared;
  if (auto freed = store.collect_garbage(); !freed) return tl::unexpected(freed.error());
  return {};
}

// The image that `tag` names, if it is just what the plan, the kernel and the programs give.
std::optional<Manifest> up_to_date(const Store& store, const RootPlan& plan,
                                   const std::optional<KernelBuild>& kernel,
                                   const GuestPrograms& programs, const std::string& tag) {
  const auto tags = store.tags();
  if (!tags || !tags->contains(tag)) return std::nullopt;
  auto manifest = store.read_manifest(tags->at(tag));
  if (!manifest || !answers(plan, manifest->base)) return std::nullopt;
  if (key_of(manifest->minimal_kernel) != key_of(kernel)) return std::nullopt;
  if (manifest->guest != digests(programs)) return std::nullopt;
  return std::move(*manifest);
}

}  // namespace

Result<Manifest> build_image(const Store& store, const fs::path& guest_directory,
                             const BuildRequest& request, const Watcher& watcher) {
  auto plan = plan_root(request.packages, request.mirrors,
                        request.pins ? std::optional(request.pins->base) : std::nullopt);
  if (!plan) return tl::unexpected(plan.error());
  auto programs = read_guest_programs(guest_directory);
  if (!programs) return tl::unexpected(programs.error());
  // Before the lock is taken: nobody waits for a kernel who did not ask for it.
  auto kernel = request.pins ? pinned_kernel(store, *request.pins, watcher)
                             : choose_kernel(store, request.kernel, watcher);
  if (!kernel) return tl::unexpected(kernel.error());
  if (request.freshness == Freshness::kReuse)
    if (auto existing = up_to_date(store, *plan, *kernel, *programs, request.tag))
      return std::move(*existing);

  auto lock = lock_store(store, watcher);
  if (!lock) return tl::unexpected(lock.error());
  auto work = store.make_work_directory();
  if (!work) return tl::unexpected(work.error());
  auto manifest = provide_root(store, *plan, request.freshness, *work, watcher)
                      .and_then([&](const RootBuild& base) {
                        return assemble(store, base, *kernel, *programs, *work);
                      });
  if (manifest)
    if (auto set = store.set_tag(request.tag, manifest->id()); !set)
      return tl::unexpected(set.error());
  if (auto cleaned = clean_up(store); manifest && !cleaned) return tl::unexpected(cleaned.error());
  return manifest;
}

Result<Manifest> refresh_image(const Store& store, const fs::path& guest_directory,
                               const std::string& id, const Watcher& watcher) {
  auto manifest = store.read_manifest(id);
  if (!manifest) return manifest;
  const GuestNote note(store.directory(), guest_directory);
  if (note.confirms(manifest->guest)) return manifest;
  auto programs = read_guest_programs(guest_directory);
  if (!programs) return tl::unexpected(programs.error());
  if (manifest->guest == digests(*programs)) {
    note.write(manifest->guest);
    return manifest;
  }

  auto lock = lock_store(store, watcher);
  if (!lock) return tl::unexpected(lock.error());
  auto work = store.make_work_directory();
  if (!work) return tl::unexpected(work.error());
  auto refreshed = assemble(store, manifest->base, manifest->minimal_kernel, *programs, *work);
  if (!refreshed) return refreshed;
  auto tags = store.tags();
  if (!tags) return tl::unexpected(tags.error());
  for (const auto& [tag, named] : *tags) {
    if (named != id) continue;
    if (auto set = store.set_tag(tag, refreshed->id()); !set) return tl::unexpected(set.error());
  }
  if (auto cleaned = clean_up(store); !cleaned) return tl::unexpected(cleaned.error());
  return refreshed;
}

Result<std::vector<Problem>> verify_images(const Store& store,
                                           const std::vector<std::string>& ids) {
  std::vector<Problem> problems;
  std::map<std::string, bool> sound;  // by the name of the blob
  for (const std::string& id : ids) {
    auto text = read_file(store.manifest_path(id));
    auto manifest = text.and_then([](const std::string& json) { return Manifest::parse(json); });
    if (!manifest) {
      problems.push_back({id, manifest.error().message});
      continue;
    }
    if (manifest->id() != id) problems.push_back({id, "the manifest is that of another image"});
    for (const auto& [role, blob] : manifest->blobs()) {
      const auto [entry, is_new] = sound.try_emplace(blob.sha256, false);
      if (is_new) entry->second = digest_file(store.blob_path(blob)) == blob;
      if (!entry->second)
        problems.push_back({id, std::string(role) + " " + blob.sha256 + " is missing or changed"});
    }
  }
  return problems;
}

}  // namespace gondolin::image
