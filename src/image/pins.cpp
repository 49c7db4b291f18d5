#include "image/pins.hpp"

#include <algorithm>
#include <string_view>
#include <vector>

#include <fmt/format.h>

#include "image/tag.hpp"

namespace gondolin::image {
namespace {

// How many packages an error names.
constexpr std::size_t kNamed = 5;

bool consists_of(std::string_view text, std::string_view punctuation) {
  return !text.empty() && std::ranges::all_of(text, [&](char byte) {
    return (byte >= '0' && byte <= '9') || (byte >= 'a' && byte <= 'z') ||
           (byte >= 'A' && byte <= 'Z') || punctuation.find(byte) != std::string_view::npos;
  });
}

bool is_mirror(std::string_view text) {
  return (text.starts_with("http://") || text.starts_with("https://")) &&
         consists_of(text, ":/.-_~%@[]");
}

// "name version"
bool is_package_line(std::string_view line) {
  const std::size_t space = line.find(' ');
  return space != std::string_view::npos &&
         check_package_name(std::string(line.substr(0, space))).has_value() &&
         consists_of(line.substr(space + 1), ".+-~:");
}

std::string_view version_of(const std::vector<std::string>& packages, std::string_view name) {
  for (const std::string& line : packages)
    if (line.starts_with(name) && line.size() > name.size() && line[name.size()] == ' ')
      return std::string_view(line).substr(name.size() + 1);
  return {};
}

std::string newest_index(const RootBuild& build) {
  std::string newest;
  for (const Index& index : build.indexes)
    newest = std::max(newest, index.date);
  return newest;
}

// The form of a date in the addresses of snapshot.debian.org: "20261123T221000Z".
std::string snapshot_date(std::string date) {
  std::erase_if(date, [](char letter) { return letter == '-' || letter == ':'; });
  return date;
}

}  // namespace

Status check_pins(const RootBuild& pins, const std::string& script_sha256) {
  const Recipe& recipe = pins.recipe;
  const auto is_name = [](const std::string& name) { return check_package_name(name).has_value(); };
  const bool sound =
      consists_of(recipe.suite, ".-") && is_mirror(recipe.mirror) &&
      is_mirror(recipe.security_mirror) && is_name(recipe.kernel_package) &&
      std::ranges::all_of(recipe.packages, is_name) &&
      std::ranges::all_of(recipe.modules,
                          [](const std::string& name) { return consists_of(name, "_-"); }) &&
      std::ranges::all_of(pins.packages, is_package_line);
  if (!sound) return fail(ErrorCode::kInvalidArgument, "the pins are not those of an image");
  if (pins.indexes.empty() || pins.package_sha256.empty())
    return fail(ErrorCode::kInvalidArgument,
                "the pinned image was built before the hashes of packages were noted");
  if (recipe.script_sha256 != script_sha256)
    return fail(ErrorCode::kInvalidArgument,
                "the pinned image was built by another version of gondolin, and only a version "
                "with the same build script makes the same of the same packages");
  return {};
}

std::string pin_lines(const RootBuild& pins) {
  return fmt::format("{}\n", fmt::join(pins.packages, "\n"));
}

std::int64_t pinned_epoch(const RootBuild& pins) {
  return seconds_of(newest_index(pins));
}

Status check_packages(const RootBuild& pins, const RootBuild& built) {
  std::vector<std::string> different;
  for (const std::string& line : pins.packages) {
    const std::string name = line.substr(0, line.find(' '));
    const std::string_view now = version_of(built.packages, name);
    const auto pinned_hash = pins.package_sha256.find(name);
    const auto hash = built.package_sha256.find(name);
    if (line != name + " " + std::string(now)) {
      different.push_back(
          fmt::format("{} ({})", line, now.empty() ? "not there" : "now " + std::string(now)));
    } else if (pinned_hash != pins.package_sha256.end() &&
               (hash == built.package_sha256.end() || hash->second != pinned_hash->second)) {
      different.push_back(line + " (another file of the same name and version)");
    }
  }
  for (const std::string& line : built.packages)
    if (version_of(pins.packages, std::string_view(line).substr(0, line.find(' '))).empty())
      different.push_back(line + " (not pinned)");
  if (different.empty()) return {};
  const std::size_t others = different.size() - std::min(different.size(), kNamed);
  different.resize(different.size() - others);
  const std::string date = snapshot_date(newest_index(pins));
  return fail(
      ErrorCode::kUnavailable,
      fmt::format("the mirror does not give the pinned packages any more: {}{}; the archive as it "
                  "was may, with GONDOLIN_DEBIAN_MIRROR=https://snapshot.debian.org/archive/debian/"
                  "{} GONDOLIN_DEBIAN_SECURITY_MIRROR=https://snapshot.debian.org/archive/"
                  "debian-security/{}",
                  fmt::join(different, ", "), others > 0 ? fmt::format(" and {} more", others) : "",
                  date, date));
}

Status check_outcome(const RootBuild& pins, const RootBuild& built) {
  struct Part {
    const char* role;
    Digest RootBuild::* digest;
  };
  for (const Part& part :
       {Part{"kernel", &RootBuild::kernel}, Part{"set of modules", &RootBuild::modules},
        Part{"root", &RootBuild::root}}) {
    if (built.*part.digest == pins.*part.digest) continue;
    return fail(ErrorCode::kIo,
                fmt::format("the pinned packages are there, but they gave another {}: {} and not "
                            "{} (this machine's mmdebstrap or mkfs.erofs may be another)",
                            part.role, (built.*part.digest).sha256, (pins.*part.digest).sha256));
  }
  return {};
}

Status check_kernel(const KernelBuild& pinned, const KernelBuild& built) {
  if (built.kernel == pinned.kernel) return {};
  const auto origin = [](const KernelRecipe& recipe) {
    return fmt::format("{} {} by {}", recipe.source, recipe.version, recipe.compiler);
  };
  return fail(ErrorCode::kIo,
              fmt::format("this machine does not give the pinned kernel: {} ({}) and not {} ({})",
                          built.kernel.sha256, origin(built.recipe), pinned.kernel.sha256,
                          origin(pinned.recipe)));
}

}  // namespace gondolin::image
