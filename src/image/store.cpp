#include "image/store.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>

#include <algorithm>
#include <cerrno>
#include <functional>
#include <set>
#include <system_error>

#include "image/blob_check.hpp"
#include "image/files.hpp"
#include "image/sbom.hpp"
#include "image/tag.hpp"

namespace gondolin::image {

namespace fs = std::filesystem;

namespace {

constexpr timespec kLockPoll{.tv_sec = 0, .tv_nsec = 100'000'000};
constexpr std::string_view kJson = ".json";
constexpr std::string_view kSpdx = ".spdx.json";

// The names in a directory; none when it does not exist.
Result<std::vector<std::string>> names_in(const fs::path& directory) {
  std::vector<std::string> names;
  std::error_code error;
  fs::directory_iterator entries(directory, error);
  if (error == std::errc::no_such_file_or_directory) return names;
  for (; !error && entries != fs::directory_iterator(); entries.increment(error))
    names.push_back(entries->path().filename().string());
  if (error) return fail_errno("reading " + directory.string(), error.value());
  return names;
}

// Removes each file of `directory` that is not in `keep` and counts its bytes.
Result<std::uint64_t> remove_others(const fs::path& directory, const std::set<std::string>& keep) {
  auto names = names_in(directory);
  if (!names) return tl::unexpected(names.error());
  std::uint64_t freed = 0;
  for (const std::string& name : *names) {
    if (keep.contains(name)) continue;
    std::error_code no_size;
    const auto size = fs::file_size(directory / name, no_size);
    if (auto removed = remove_tree(directory / name); !removed)
      return tl::unexpected(removed.error());
    if (!no_size) freed += size;
  }
  return freed;
}

Result<StoreLock> lock_file(const fs::path& path, const std::function<void()>& on_wait,
                            const Cancelled& cancelled) {
  UniqueFd file(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  if (!file.valid()) return fail_errno("opening " + path.string(), errno);
  for (bool told = false; ::flock(file.get(), LOCK_EX | LOCK_NB) != 0;) {
    if (errno != EWOULDBLOCK && errno != EINTR)
      return fail_errno("locking " + path.string(), errno);
    if (!told && on_wait) on_wait();
    told = true;
    if (cancelled && cancelled()) return fail(ErrorCode::kCancelled, "interrupted");
    ::nanosleep(&kLockPoll, nullptr);
  }
  return StoreLock(std::move(file));
}

}  // namespace

Result<StoreLock> Store::lock(const std::function<void()>& on_wait,
                              const Cancelled& cancelled) const {
  for (const char* name :
       {"blobs", "roots", "kernels", "images", "refs", "sboms", "checked", "tmp"})
    if (auto made = make_private_directory(directory_ / name); !made)
      return tl::unexpected(made.error());
  return lock_file(directory_ / "lock", on_wait, cancelled);
}

Result<StoreLock> Store::lock_kernels(const std::function<void()>& on_wait,
                                      const Cancelled& cancelled) const {
  const fs::path directory = directory_ / "kernel-work";
  if (auto made = make_private_directory(directory); !made) return tl::unexpected(made.error());
  return lock_file(directory / "lock", on_wait, cancelled);
}

Result<fs::path> Store::make_kernel_directory() const {
  if (auto cleared = clear_kernel_directory(); !cleared) return tl::unexpected(cleared.error());
  fs::path work = directory_ / "kernel-work" / "work";
  if (auto made = make_private_directory(work); !made) return tl::unexpected(made.error());
  return work;
}

Status Store::clear_kernel_directory() const {
  return remove_tree(directory_ / "kernel-work" / "work");
}

Result<fs::path> Store::make_work_directory() const {
  if (auto cleared = clear_work_directory(); !cleared) return tl::unexpected(cleared.error());
  fs::path work = directory_ / "tmp" / "work";
  if (auto made = make_private_directory(work); !made) return tl::unexpected(made.error());
  return work;
}

Status Store::clear_work_directory() const {
  auto freed = remove_others(directory_ / "tmp", {});
  return freed ? Status{} : tl::unexpected(freed.error());
}

Result<Digest> Store::add_blob(const fs::path& file) const {
  auto digest = digest_file(file);
  if (!digest) return digest;
  if (::chmod(file.c_str(), 0600) != 0) return fail_errno(file.string(), errno);
  if (auto synced = sync_path(file); !synced) return tl::unexpected(synced.error());
  if (auto moved = move_file(file, blob_path(*digest)); !moved)
    return tl::unexpected(moved.error());
  return digest;
}

fs::path Store::blob_path(const Digest& digest) const {
  return directory_ / "blobs" / digest.sha256;
}

bool Store::has_blob(const Digest& digest) const {
  std::error_code error;
  return fs::file_size(blob_path(digest), error) == digest.size && !error;
}

Status Store::check_blob(const Digest& digest) const {
  return image::check_blob(blob_path(digest), digest, directory_ / "checked" / digest.sha256);
}

Status Store::check_image(const Manifest& manifest) const {
  const std::pair<const char*, const Digest*> booted[] = {{"kernel", &manifest.kernel()},
                                                          {"initramfs", &manifest.initramfs},
                                                          {"root", &manifest.base.root}};
  for (const auto& [role, blob] : booted) {
    auto checked = check_blob(*blob);
    if (checked) continue;
    return fail(checked.error().code, "image " + manifest.id().substr(0, 12) + " is damaged: its " +
                                          role + ", " + checked.error().message +
                                          " (gondolin image build --update makes it anew)");
  }
  return {};
}

Status Store::put_root(const RootBuild& build) const {
  return replace_file(directory_ / "roots" / (build.recipe.key() + ".json"), build.to_json());
}

Result<RootBuild> Store::find_root(const Recipe& recipe) const {
  auto text = read_file(directory_ / "roots" / (recipe.key() + ".json"));
  if (!text) return tl::unexpected(text.error());
  auto build = RootBuild::parse(*text);
  if (!build) return build;
  for (const Digest* blob : {&build->kernel, &build->modules, &build->root})
    if (!has_blob(*blob)) return fail(ErrorCode::kNotFound, "blob " + blob->sha256 + " is missing");
  return build;
}

Status Store::put_kernel(const KernelBuild& build) const {
  return replace_file(directory_ / "kernels" / (build.recipe.key() + std::string(kJson)),
                      build.to_json());
}

Result<std::vector<KernelBuild>> Store::kernels() const {
  auto names = names_in(directory_ / "kernels");
  if (!names) return tl::unexpected(names.error());
  std::vector<KernelBuild> result;
  for (const std::string& name : *names) {
    auto text = read_file(directory_ / "kernels" / name);
    auto build = text.and_then([](const std::string& json) { return KernelBuild::parse(json); });
    // What is damaged, or lacks its blob, is as good as not there.
    if (build && build->recipe.key() + std::string(kJson) == name && has_blob(build->kernel))
      result.push_back(std::move(*build));
  }
  std::ranges::sort(result, std::ranges::greater(), &KernelBuild::created);
  return result;
}

Status Store::put_manifest(const Manifest& manifest) const {
  if (auto put = replace_file(sbom_path(manifest.id()), sbom(manifest)); !put) return put;
  return replace_file(manifest_path(manifest.id()), manifest.to_json());
}

fs::path Store::sbom_path(std::string_view id) const {
  return directory_ / "sboms" / (std::string(id) + std::string(kSpdx));
}

Result<std::string> Store::read_sbom(std::string_view id) const {
  if (auto text = read_file(sbom_path(id)); text) return text;
  return read_manifest(id).map(sbom);  // of an image from before there were any
}

fs::path Store::manifest_path(std::string_view id) const {
  return directory_ / "images" / (std::string(id) + ".json");
}

Result<Manifest> Store::read_manifest(std::string_view id) const {
  auto text = read_file(manifest_path(id));
  if (!text) return tl::unexpected(text.error());
  auto manifest = Manifest::parse(*text);
  if (!manifest) {
    return fail(manifest.error().code,
                "image " + std::string(id.substr(0, 12)) + ": " + manifest.error().message);
  }
  for (const auto& [role, blob] : manifest->blobs())
    if (!has_blob(blob))
      return fail(ErrorCode::kNotFound, "image " + std::string(id.substr(0, 12)) +
                                            " is damaged: its " + role + ", blob " + blob.sha256 +
                                            ", is missing (gondolin image build makes it anew)");
  return manifest;
}

Status Store::set_tag(const std::string& tag, const std::string& id) const {
  return replace_file(directory_ / "refs" / tag, id + "\n");
}

Status Store::remove_tag(const std::string& tag) const {
  if (auto removed = remove_tree(directory_ / "refs" / tag); !removed) return removed;
  return sync_path(directory_ / "refs");
}

Result<std::map<std::string, std::string>> Store::tags() const {
  auto names = names_in(directory_ / "refs");
  if (!names) return tl::unexpected(names.error());
  std::map<std::string, std::string> result;
  for (const std::string& name : *names) {
    if (normalize_tag(name) != name) continue;  // left by a writer that was killed
    auto id = read_file(directory_ / "refs" / name);
    if (!id && id.error().code == ErrorCode::kNotFound) continue;  // removed meanwhile
    if (!id) return tl::unexpected(id.error());
    result.emplace(name, id->substr(0, id->find('\n')));
  }
  return result;
}

Result<std::vector<std::string>> Store::ids() const {
  auto names = names_in(directory_ / "images");
  if (!names) return tl::unexpected(names.error());
  std::vector<std::string> result;
  for (std::string& name : *names) {
    if (!name.ends_with(kJson)) continue;
    name.resize(name.size() - kJson.size());
    result.push_back(std::move(name));
  }
  return result;
}

Result<std::string> Store::find(std::string_view ref) const {
  auto tag = normalize_tag(ref);
  if (!tag) return tag;
  auto named = tags();
  if (!named) return tl::unexpected(named.error());
  if (const auto found = named->find(*tag); found != named->end()) return found->second;

  auto all = ids();
  if (!all) return tl::unexpected(all.error());
  std::string match;
  for (const std::string& id : *all) {
    if (!looks_like_id(ref) || !id.starts_with(ref)) continue;
    if (!match.empty())
      return fail(ErrorCode::kInvalidArgument,
                  "'" + std::string(ref) + "' is the beginning of several images' ids");
    match = id;
  }
  if (match.empty())
    return fail(ErrorCode::kNotFound, "there is no image '" + std::string(ref) + "' in " +
                                          directory_.string() +
                                          " (gondolin image ls shows them, gondolin image build "
                                          "makes one)");
  return match;
}

void Store::mark_used(std::string_view id) const {
  // Best effort: a store that cannot be written to is not collected either.
  static_cast<void>(::utimensat(AT_FDCWD, manifest_path(id).c_str(), nullptr, 0));
}

Status Store::remove_image(const std::string& id) const {
  auto named = tags();
  if (!named) return tl::unexpected(named.error());
  for (const auto& [tag, tagged] : *named)
    if (tagged == id)
      if (auto removed = remove_tag(tag); !removed) return removed;
  return remove_tree(manifest_path(id));
}

Result<std::set<std::string>> Store::images_to_keep() const {
  auto named = tags();
  if (!named) return tl::unexpected(named.error());
  auto all = ids();
  if (!all) return tl::unexpected(all.error());
  std::set<std::string> keep;
  for (const auto& [tag, id] : *named)
    keep.insert(id);
  for (const std::string& id : *all) {
    std::error_code error;
    const auto used = fs::last_write_time(manifest_path(id), error);
    if (!error && used > fs::file_time_type::clock::now() - kGrace) keep.insert(id);
  }
  return keep;
}

Result<std::uint64_t> Store::collect_garbage() const {
  auto kept = images_to_keep();
  if (!kept) return tl::unexpected(kept.error());
  std::set<std::string> images;
  std::set<std::string> sboms;
  std::set<std::string> roots;
  std::set<std::string> kernels;
  std::set<std::string> blobs;
  const auto keep_kernel = [&](const KernelBuild& build) {
    kernels.insert(build.recipe.key() + std::string(kJson));
    blobs.insert(build.kernel.sha256);
  };
  auto built = this->kernels();
  if (!built) return tl::unexpected(built.error());
  if (!built->empty()) keep_kernel(built->front());
  for (const std::string& id : *kept) {
    auto text = read_file(manifest_path(id));
    auto manifest = text.and_then([](const std::string& json) { return Manifest::parse(json); });
    if (!manifest) continue;  // damaged; nothing says what it needs
    images.insert(id + std::string(kJson));
    sboms.insert(id + std::string(kSpdx));
    roots.insert(manifest->base.recipe.key() + std::string(kJson));
    if (manifest->minimal_kernel) keep_kernel(*manifest->minimal_kernel);
    for (const auto& [role, blob] : manifest->blobs())
      blobs.insert(blob.sha256);
  }
  std::uint64_t freed = 0;
  // Names go before what they name.
  for (const auto& [directory, keep] : {std::pair{"images", &images},
                                        {"sboms", &sboms},
                                        {"roots", &roots},
                                        {"checked", &blobs},
                                        {"kernels", &kernels},
                                        {"blobs", &blobs}}) {
    auto removed = remove_others(directory_ / directory, *keep);
    if (!removed) return removed;
    freed += *removed;
  }
  return freed;
}

}  // namespace gondolin::image
