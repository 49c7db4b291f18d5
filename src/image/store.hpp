// The directory that images live in.
//
//   blobs/SHA256        kernels, initramfs segments, initramfs, root file systems
//   sboms/ID.spdx.json  what is in each image, SPDX 2.3
//   roots/KEY.json      what a recipe gave (RootBuild), by Recipe::key()
//   kernels/KEY.json    kernels of ours (KernelBuild), by KernelRecipe::key()
//   images/ID.json      manifests
//   refs/NAME:VERSION   the id that a tag names
//   checked/SHA256      when that blob was last hashed (blob_check.hpp)
//   guest               what the guest programs looked like (GuestNote)
//   tmp/                work in progress of whoever holds the lock
//   lock                locked with flock(2) by whoever changes anything
//   kernel-work/        the same two for whoever builds a kernel, which takes so long
//                       that nobody else should wait for it
//
// A blob is complete and on the disk before anything names it, a manifest before a
// tag does; so whatever is interrupted leaves only things that nobody names, and
// the next collection removes them. Reading needs no lock.
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "base/unique_fd.hpp"
#include "image/manifest.hpp"
#include "image/sha256.hpp"

namespace gondolin::image {

// Asked now and then while something takes long; true has it give up, kCancelled.
using Cancelled = std::function<bool()>;

// The right to change the store; ends with this object or its process.
class StoreLock {
 public:
  explicit StoreLock(UniqueFd file) : file_(std::move(file)) {}

 private:
  UniqueFd file_;
};

class Store {
 public:
  static constexpr std::chrono::hours kGrace{1};

  explicit Store(std::filesystem::path directory) : directory_(std::move(directory)) {}

  [[nodiscard]] const std::filesystem::path& directory() const { return directory_; }

  // Makes the store's directories where they are missing and waits until nobody
  // else changes it; `on_wait` is called once, before the first wait.
  [[nodiscard]] Result<StoreLock> lock(const std::function<void()>& on_wait,
                                       const Cancelled& cancelled) const;

  // The right to build a kernel; waits like lock(). Take it before that one.
  [[nodiscard]] Result<StoreLock> lock_kernels(const std::function<void()>& on_wait,
                                               const Cancelled& cancelled) const;
  // An empty directory to build a kernel in, for whoever has that right.
  [[nodiscard]] Result<std::filesystem::path> make_kernel_directory() const;
  [[nodiscard]] Status clear_kernel_directory() const;

  // Everything from here on that changes the store wants the lock held.

  // An empty directory for work in progress; the leftovers of the dead are removed.
  [[nodiscard]] Result<std::filesystem::path> make_work_directory() const;
  [[nodiscard]] Status clear_work_directory() const;

  // Moves a file of the work directory into the store.
  [[nodiscard]] Result<Digest> add_blob(const std::filesystem::path& file) const;
  [[nodiscard]] std::filesystem::path blob_path(const Digest& digest) const;
  // Whether the blob is there, by its name and length.
  [[nodiscard]] bool has_blob(const Digest& digest) const;

  // Whether the blob holds what its name says. Needs no lock.
  [[nodiscard]] Status check_blob(const Digest& digest) const;
  // Whether what the image boots from is what it was built as; kProtocol says what is not.
  [[nodiscard]] Status check_image(const Manifest& manifest) const;

  [[nodiscard]] Status put_root(const RootBuild& build) const;
  // What the recipe gave before, if all of it is still there; kNotFound otherwise.
  [[nodiscard]] Result<RootBuild> find_root(const Recipe& recipe) const;

  [[nodiscard]] Status put_kernel(const KernelBuild& build) const;
  // The kernels that are there, the newest first.
  [[nodiscard]] Result<std::vector<KernelBuild>> kernels() const;

  [[nodiscard]] Status put_manifest(const Manifest& manifest) const;
  [[nodiscard]] std::filesystem::path manifest_path(std::string_view id) const;
  // What is in the image, an SPDX document.
  [[nodiscard]] Result<std::string> read_sbom(std::string_view id) const;
  // Fails unless every blob of the image is there.
  [[nodiscard]] Result<Manifest> read_manifest(std::string_view id) const;

  // `tag` in its full form, as normalize_tag() gives it.
  [[nodiscard]] Status set_tag(const std::string& tag, const std::string& id) const;
  [[nodiscard]] Status remove_tag(const std::string& tag) const;
  // Tag to id; none when there is no store yet.
  [[nodiscard]] Result<std::map<std::string, std::string>> tags() const;

  // The ids of the images that are there.
  [[nodiscard]] Result<std::vector<std::string>> ids() const;

  // The id that a tag, an id or the beginning of one names.
  [[nodiscard]] Result<std::string> find(std::string_view ref) const;

  // Notes that an image is about to be booted, which keeps it for kGrace even when
  // its tags move away at that moment. Needs no lock.
  void mark_used(std::string_view id) const;

  // Removes an image at once; its blobs go with the next collection.
  [[nodiscard]] Status remove_image(const std::string& id) const;

  // Removes every image that no tag names and that was not used lately, and every
  // blob and record that no image needs, but for the newest kernel. Returns the bytes
  // freed.
  [[nodiscard]] Result<std::uint64_t> collect_garbage() const;

 private:
  [[nodiscard]] Result<std::set<std::string>> images_to_keep() const;
  [[nodiscard]] std::filesystem::path sbom_path(std::string_view id) const;

  std::filesystem::path directory_;
};

}  // namespace gondolin::image
