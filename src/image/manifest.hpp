// What is known of an image, and how it is written down: JSON, see docs/images.md.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "image/sha256.hpp"

namespace gondolin::image {

// The inputs of a root file system: the same recipe is not built twice.
struct Recipe {
  std::string suite;
  std::string mirror;
  std::string security_mirror;
  std::string kernel_package;
  std::vector<std::string> packages;   // all that are installed, sorted
  std::vector<std::string> requested;  // those of them the user added, sorted
  std::vector<std::string> modules;    // of the kernel, without their dependencies
  std::string script_sha256;           // of the program that builds

  // A digest of all of the above.
  [[nodiscard]] std::string key() const;
};

// An index of Debian's archive, as it was when packages were taken from it.
struct Index {
  std::string name;    // "deb.debian.org_debian_dists_bookworm_InRelease"
  std::string date;    // as it says itself, RFC 3339, UTC
  std::string sha256;  // of the signed file, which has the hashes of all lists of packages
};

// The outcome of a recipe: everything of an image that is not ours.
struct RootBuild {
  Recipe recipe;
  Digest kernel;
  Digest modules;  // an initramfs segment
  Digest root;
  std::string kernel_release;
  std::vector<std::string> packages;                  // "name version", sorted
  std::map<std::string, std::string> package_sha256;  // of the package files, by name
  std::vector<Index> indexes;
  std::string created;  // RFC 3339, UTC

  [[nodiscard]] std::string to_json() const;
  [[nodiscard]] static Result<RootBuild> parse(std::string_view json);
};

// The inputs of a kernel of ours.
struct KernelRecipe {
  std::string source;         // Debian package, "linux-source-6.1"
  std::string version;        // of that package
  std::string compiler;       // as it and the linker introduce themselves
  std::string config_sha256;  // of the options
  std::string script_sha256;  // of the program that builds

  // A digest of all of the above.
  [[nodiscard]] std::string key() const;
};

// The outcome: a kernel that needs no modules.
struct KernelBuild {
  KernelRecipe recipe;
  Digest kernel;
  std::string release;  // as uname -r tells it
  std::string created;  // RFC 3339, UTC

  [[nodiscard]] std::string to_json() const;
  [[nodiscard]] static Result<KernelBuild> parse(std::string_view json);
};

struct Manifest {
  RootBuild base;
  std::optional<KernelBuild> minimal_kernel;  // booted instead of Debian's
  std::map<std::string, std::string> guest;   // program name to SHA-256
  Digest initramfs;                           // modules, if any, and guest programs
  std::string created;

  struct Blob {
    const char* role;
    Digest digest;
  };
  // Everything the image needs from the store.
  [[nodiscard]] std::vector<Blob> blobs() const;

  // What it boots, and the release of that.
  [[nodiscard]] const Digest& kernel() const;
  [[nodiscard]] const std::string& kernel_release() const;

  // Names the image: a digest of the digests of what it boots from.
  [[nodiscard]] std::string id() const;
  // A digest of what it was built from.
  [[nodiscard]] std::string build_id() const;

  [[nodiscard]] std::string to_json() const;
  // kProtocol when the text is not a manifest, or its id is not that of its content.
  [[nodiscard]] static Result<Manifest> parse(std::string_view json);
};

// The current time as manifests have it, such as "2026-11-23T22:10:00Z".
[[nodiscard]] std::string timestamp_now();
// Seconds since 1970, as manifests have times, and back; 0 for what is no time.
[[nodiscard]] std::string timestamp_of(std::int64_t seconds);
[[nodiscard]] std::int64_t seconds_of(const std::string& timestamp);

}  // namespace gondolin::image
