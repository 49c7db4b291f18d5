#include "image/root_builder.hpp"

#include <pwd.h>
#include <unistd.h>

#include <algorithm>
#include <iterator>
#include <optional>
#include <set>
#include <sstream>

#include <fmt/format.h>

#include "base/parse_number.hpp"
#include "image/build_script.hpp"
#include "image/files.hpp"
#include "image/guest_programs.hpp"
#include "image/kernel.hpp"
#include "image/log_tail.hpp"
#include "image/pins.hpp"
#include "image/program.hpp"
#include "image/tag.hpp"

namespace gondolin::image {

namespace fs = std::filesystem;

namespace {

constexpr std::string_view kStandardPackages[] = {
    "bash",  "ca-certificates", "curl",    "iproute2",          "less",
    "mount", "procps",          "python3", "python-is-python3", "vim-tiny",
};
constexpr std::string_view kModules[] = {
    "virtio_mmio", "virtio_pci", "virtio_console", "virtio_blk", "fuse", "overlay", "erofs",
};

// Whether a file such as /etc/subuid gives the user a range: "name:start:count".
bool has_range(const char* path, const std::string& name) {
  const auto text = read_file(path);
  const std::string by_id = std::to_string(::getuid()) + ":";
  return text && std::ranges::any_of(lines_of(*text), [&](const std::string& line) {
           return line.starts_with(name + ":") || line.starts_with(by_id);
         });
}

Status check_user_namespace() {
  const passwd* user = ::getpwuid(::getuid());
  const std::string name = user == nullptr ? std::to_string(::getuid()) : user->pw_name;
  for (const char* path : {"/etc/subuid", "/etc/subgid"}) {
    if (has_range(path, name)) continue;
    return fail(ErrorCode::kUnavailable,
                fmt::format("{} gives {} no range of ids, which building an image without root "
                            "needs: run `usermod --add-subuids 100000-165535 --add-subgids "
                            "100000-165535 {}` as root",
                            path, name, name));
  }
  return {};
}

// Four fifths of the memory that is free for use, as mount(8) takes it.
std::string scratch_size() {
  const auto text = read_file("/proc/meminfo");
  for (const std::string& line : text ? lines_of(*text) : std::vector<std::string>{}) {
    std::istringstream words(line);
    std::string name;
    std::uint64_t kibibytes = 0;
    if (words >> name >> kibibytes && name == "MemAvailable:")
      return std::to_string(kibibytes / 5 * 4) + "k";
  }
  return "50%";
}

std::vector<std::string> script_environment(const RootPlan& plan) {
  const Recipe& recipe = plan.recipe;
  const std::string key = recipe.key();
  std::vector<std::string> environment = {
      "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
      "HOME=/",
      "LC_ALL=C.UTF-8",
      "SUITE=" + recipe.suite,
      "MIRROR=" + recipe.mirror,
      "SECURITY_MIRROR=" + recipe.security_mirror,
      "FETCH_MIRROR=" + plan.mirrors.debian,
      "FETCH_SECURITY_MIRROR=" + plan.mirrors.security,
      plan.pins ? fmt::format("EPOCH={}", pinned_epoch(*plan.pins)) : "EPOCH=",
      "KERNEL_PACKAGE=" + recipe.kernel_package,
      fmt::format("PACKAGES={}", fmt::join(recipe.packages, ",")),
      fmt::format("MODULES={}", fmt::join(recipe.modules, " ")),
      "SCRATCH_SIZE=" + scratch_size(),
      // Only its uniqueness matters; from the key, so that it is always the same.
      fmt::format("FS_UUID={}-{}-{}-{}-{}", key.substr(0, 8), key.substr(8, 4), key.substr(12, 4),
                  key.substr(16, 4), key.substr(20, 12)),
  };
  std::ranges::move(inherited_environment({"http_proxy", "https_proxy", "no_proxy"}),
                    std::back_inserter(environment));
  return environment;
}

// mmdebstrap's account of itself, "I: installing essential packages...", without
// what only its authors want to know.
std::optional<std::string_view> detail_of(std::string_view line) {
  if (!line.starts_with("I: ")) return std::nullopt;
  line.remove_prefix(3);
  for (const std::string_view start :
       {"chroot architecture", "finding", "using", "running --", "cleaning", "removing", "success"})
    if (line.starts_with(start)) return std::nullopt;
  while (line.ends_with('.'))
    line.remove_suffix(1);
  return line;
}

Status run_script(const RootPlan& plan, const fs::path& work, const Progress& progress,
                  const Cancelled& cancelled) {
  if (plan.pins)
    if (auto created = create_file(work / "pins", pin_lines(*plan.pins)); !created) return created;
  const fs::path script = work / "build-root.sh";
  if (auto created = create_file(script, kBuildScript); !created) return created;
  Program program{.arguments = {"unshare", "--mount", "--pid", "--fork", "--kill-child"},
                  .environment = script_environment(plan)};
  if (::geteuid() != 0)
    program.arguments.insert(program.arguments.end(), {"--user", "--map-root-user", "--map-auto"});
  program.arguments.insert(program.arguments.end(),
                           {"--mount-proc", "sh", script.string(), work.string()});

  LogTail tail;
  const ProgramOutput output{.log =
                                 [&](std::string_view line) {
                                   tail.add(line);
                                   if (const auto detail = detail_of(line); detail && progress)
                                     progress(ProgressKind::kDetail, *detail);
                                 },
                             .stage =
                                 [&](std::string_view line) {
                                   if (progress) progress(ProgressKind::kStage, line);
                                 }};
  auto status = run_program(program, output, cancelled);
  if (!status) return tl::unexpected(status.error());
  if (*status == 0) return {};
  return fail(ErrorCode::kIo, "building the root file system failed" + tail.text());
}

// The kernel as QEMU starts it fastest.
Result<Digest> store_kernel(const Store& store, const fs::path& work) {
  const fs::path packed = work / "vmlinuz";
  auto image = read_file(packed);
  if (!image) return tl::unexpected(image.error());
  auto kernel = unpack_kernel(*image);
  if (!kernel) return store.add_blob(packed);
  if (auto created = create_file(work / "vmlinux", *kernel); !created)
    return tl::unexpected(created.error());
  return store.add_blob(work / "vmlinux");
}

Result<Digest> store_modules(const Store& store, const fs::path& work) {
  auto order = read_file(work / "modules.order");
  if (!order) return tl::unexpected(order.error());
  std::vector<Module> modules;
  for (const std::string& name : lines_of(*order)) {
    auto content = read_file(work / "modules" / (name + ".ko"));
    if (!content) return tl::unexpected(content.error());
    modules.emplace_back(name, std::move(*content));
  }
  const fs::path segment = work / "modules.cpio";
  if (auto created = create_file(segment, module_segment(modules)); !created)
    return tl::unexpected(created.error());
  return store.add_blob(segment);
}

// What the script says of the packages it took, and where from; nothing of what it made.
Result<RootBuild> read_packages(const fs::path& work, const Recipe& recipe) {
  RootBuild build;
  build.recipe = recipe;
  auto packages = read_file(work / "packages");
  auto hashes = read_file(work / "hashes");
  auto indexes = read_file(work / "indexes");
  for (const auto* text : {&packages, &hashes, &indexes})
    if (!*text) return tl::unexpected(text->error());
  build.packages = lines_of(*packages);
  for (const std::string& line : lines_of(*hashes)) {
    std::istringstream words(line);
    std::string name;
    words >> name >> build.package_sha256[name];
  }
  for (const std::string& line : lines_of(*indexes)) {
    std::istringstream words(line);
    Index index;
    std::int64_t date = 0;
    words >> index.name >> date >> index.sha256;
    index.date = timestamp_of(date);
    build.indexes.push_back(std::move(index));
  }
  return build;
}

}  // namespace

Result<Recipe> make_recipe(const std::vector<std::string>& packages, const Mirrors& mirrors) {
  std::set<std::string> all(std::begin(kStandardPackages), std::end(kStandardPackages));
  std::set<std::string> requested;
  for (const std::string& name : packages) {
    if (auto valid = check_package_name(name); !valid) return tl::unexpected(valid.error());
    if (all.insert(name).second) requested.insert(name);
  }
  return Recipe{.suite = "bookworm",
                .mirror = mirrors.debian,
                .security_mirror = mirrors.security,
                .kernel_package = "linux-image-cloud-amd64",
                .packages = {all.begin(), all.end()},
                .requested = {requested.begin(), requested.end()},
                .modules = {std::begin(kModules), std::end(kModules)},
                .script_sha256 = sha256(as_bytes(kBuildScript))};
}

Status check_build_requirements() {
  struct Requirement {
    const char* program;
    const char* package;
  };
  std::vector<Requirement> requirements = {
      {"mmdebstrap", "mmdebstrap"}, {"mkfs.erofs", "erofs-utils"}, {"unshare", "util-linux"}};
  if (::geteuid() != 0) requirements.push_back({"newuidmap", "uidmap"});
  for (const Requirement& each : requirements) {
    if (find_program(each.program)) continue;
    return fail(
        ErrorCode::kUnavailable,
        fmt::format("building an image needs {}: apt-get install {}", each.program, each.package));
  }
  return ::geteuid() == 0 ? Status{} : check_user_namespace();
}

Result<RootPlan> plan_root(const std::vector<std::string>& packages, const Mirrors& mirrors,
                           const std::optional<RootBuild>& pins) {
  if (!pins) {
    return make_recipe(packages, mirrors).map([&](Recipe recipe) {
      return RootPlan{.recipe = std::move(recipe), .mirrors = mirrors, .pins = {}};
    });
  }
  if (auto checked = check_pins(*pins, sha256(as_bytes(kBuildScript))); !checked)
    return tl::unexpected(checked.error());
  return RootPlan{.recipe = pins->recipe, .mirrors = mirrors, .pins = pins};
}

Result<RootBuild> build_root(const Store& store, const RootPlan& plan, const fs::path& work,
                             const Progress& progress, const Cancelled& cancelled) {
  if (auto able = check_build_requirements(); !able) return tl::unexpected(able.error());
  const Status ran = run_script(plan, work, progress, cancelled);
  auto build = read_packages(work, plan.recipe);
  if (build && plan.pins)  // which the script gives up on, too, when they are not to be had
    if (auto same = check_packages(*plan.pins, *build); !same) return tl::unexpected(same.error());
  if (!ran) return tl::unexpected(ran.error());
  if (!build) return build;
  if (progress) progress(ProgressKind::kStage, "Storing the image");
  auto release = read_file(work / "release");
  if (!release) return tl::unexpected(release.error());
  auto kernel = store_kernel(store, work);
  if (!kernel) return tl::unexpected(kernel.error());
  auto modules = store_modules(store, work);
  if (!modules) return tl::unexpected(modules.error());
  auto root = store.add_blob(work / "root.erofs");
  if (!root) return tl::unexpected(root.error());

  build->kernel = *kernel;
  build->modules = *modules;
  build->root = *root;
  build->kernel_release = release->substr(0, release->find('\n'));
  build->created = timestamp_now();
  if (plan.pins)
    if (auto same = check_outcome(*plan.pins, *build); !same) return tl::unexpected(same.error());
  if (auto put = store.put_root(*build); !put) return tl::unexpected(put.error());
  return build;
}

}  // namespace gondolin::image
