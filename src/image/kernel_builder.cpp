#include "image/kernel_builder.hpp"

#include <stdlib.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include <fmt/format.h>

#include "image/build_script.hpp"
#include "image/files.hpp"
#include "image/log_tail.hpp"
#include "image/program.hpp"

namespace gondolin::image {

namespace fs = std::filesystem;

namespace {

// A directory for as long as this lives.
class ScratchDirectory {
 public:
  [[nodiscard]] static Result<ScratchDirectory> make() {
    std::string pattern = (fs::temp_directory_path() / "gondolin-kernel-XXXXXX").string();
    if (::mkdtemp(pattern.data()) == nullptr) return fail_errno("making " + pattern, errno);
    return ScratchDirectory(pattern);
  }
  ScratchDirectory(ScratchDirectory&& other) noexcept : path_(std::exchange(other.path_, {})) {}
  ScratchDirectory& operator=(ScratchDirectory&&) = delete;
  ~ScratchDirectory() {
    if (!path_.empty()) static_cast<void>(remove_tree(path_));
  }

  [[nodiscard]] const fs::path& path() const { return path_; }

 private:
  explicit ScratchDirectory(fs::path path) : path_(std::move(path)) {}

  fs::path path_;
};

// The script and what it reads, in `directory`.
Status write_script(const fs::path& directory) {
  if (auto made = create_file(directory / "build-kernel.sh", kKernelScript); !made) return made;
  return create_file(directory / "minimal.config", kKernelConfig);
}

// PATH and HOME are the caller's, so that a ccache of theirs serves.
std::vector<std::string> script_environment() {
  return inherited_environment(
      {"PATH", "HOME", "CCACHE_DIR", "http_proxy", "https_proxy", "no_proxy"});
}

// "  CC      kernel/fork.o" as the kernel's makefiles tell it, without the blanks.
std::optional<std::string> compiled_file(std::string_view line) {
  if (!line.starts_with("  ")) return std::nullopt;
  line.remove_prefix(2);
  const std::size_t end = line.find(' ');
  const std::size_t file = line.find_first_not_of(' ', end);
  if (end == 0 || file == std::string_view::npos) return std::nullopt;
  return fmt::format("{} {}", line.substr(0, end), line.substr(file));
}

// Builds in `work`. The script has a PID namespace of its own, with which all that it
// started ends, however we do.
Status run_build(const fs::path& work, const Progress& progress, const Cancelled& cancelled) {
  if (auto written = write_script(work); !written) return written;
  Program program{.arguments = {"unshare", "--pid", "--fork", "--kill-child", "--mount-proc"},
                  .environment = script_environment()};
  if (::geteuid() != 0)
    program.arguments.insert(program.arguments.end(), {"--user", "--map-root-user"});
  program.arguments.insert(program.arguments.end(), {"--wd", work.string(), "sh",
                                                     (work / "build-kernel.sh").string(), "build"});
  LogTail tail;
  const ProgramOutput output{.log =
                                 [&](std::string_view line) {
                                   const auto detail = compiled_file(line);
                                   if (!detail) tail.add(line);
                                   if (detail && progress) progress(ProgressKind::kDetail, *detail);
                                 },
                             .stage =
                                 [&](std::string_view line) {
                                   if (progress) progress(ProgressKind::kStage, line);
                                 }};
  auto status = run_program(program, output, cancelled);
  if (!status) return tl::unexpected(status.error());
  if (*status == 0) return {};
  return fail(ErrorCode::kIo, "building the kernel failed" + tail.text());
}

Result<std::optional<KernelBuild>> find_built(const Store& store, const KernelRecipe& recipe) {
  auto kernels = store.kernels();
  if (!kernels) return tl::unexpected(kernels.error());
  for (KernelBuild& each : *kernels)
    if (each.recipe.key() == recipe.key()) return std::move(each);
  return std::nullopt;
}

std::function<void()> telling(const Progress& progress, std::string_view what) {
  return [&progress, what] {
    if (progress) progress(ProgressKind::kStage, what);
  };
}

// Moves the outcome into the store.
Result<KernelBuild> keep(const Store& store, const KernelRecipe& recipe, const fs::path& work,
                         const Progress& progress, const Cancelled& cancelled) {
  auto release = read_file(work / "release");
  if (!release) return tl::unexpected(release.error());
  auto lock = store.lock(telling(progress, "Waiting for another build in this store"), cancelled);
  if (!lock) return tl::unexpected(lock.error());
  auto kernel = store.add_blob(work / "vmlinux");
  if (!kernel) return tl::unexpected(kernel.error());
  KernelBuild build{.recipe = recipe,
                    .kernel = *kernel,
                    .release = release->substr(0, release->find('\n')),
                    .created = timestamp_now()};
  if (auto put = store.put_kernel(build); !put) return tl::unexpected(put.error());
  return build;
}

}  // namespace

Result<KernelRecipe> make_kernel_recipe(const Cancelled& cancelled) {
  auto directory = ScratchDirectory::make();
  if (!directory) return tl::unexpected(directory.error());
  if (auto written = write_script(directory->path()); !written)
    return tl::unexpected(written.error());

  KernelRecipe recipe{.source = {},
                      .version = {},
                      .compiler = {},
                      .config_sha256 = sha256(as_bytes(kKernelConfig)),
                      .script_sha256 = sha256(as_bytes(kKernelScript))};
  std::vector<std::string> missing;
  LogTail tail;
  const auto take = [&](std::string_view line) {
    const std::size_t blank = std::min(line.find(' '), line.size());
    const std::string_view name = line.substr(0, blank);
    const std::string value(line.substr(std::min(blank + 1, line.size())));
    if (name == "missing") missing.push_back(value);
    if (name == "package") recipe.source = value;
    if (name == "version") recipe.version = value;
    if (name == "compiler") recipe.compiler = value;
  };
  auto status = run_program(
      {.arguments = {"sh", (directory->path() / "build-kernel.sh").string(), "describe"},
       .environment = script_environment()},
      {.log = [&](std::string_view line) { tail.add(line); }, .stage = take}, cancelled);
  if (!status) return tl::unexpected(status.error());
  if (*status != 0)
    return fail(ErrorCode::kIo, "what building a kernel needs was not found out" + tail.text());
  if (!missing.empty()) {
    const std::string packages = fmt::format("{}", fmt::join(missing, " "));
    return fail(
        ErrorCode::kUnavailable,
        fmt::format("building a kernel needs {0}: apt-get install --no-install-recommends {0}",
                    packages));
  }
  return recipe;
}

Result<std::optional<KernelBuild>> find_kernel(const Store& store) {
  auto kernels = store.kernels();
  if (!kernels) return tl::unexpected(kernels.error());
  const std::string config = sha256(as_bytes(kKernelConfig));
  for (KernelBuild& each : *kernels)
    if (each.recipe.config_sha256 == config) return std::move(each);
  return std::nullopt;
}

Result<KernelBuild> provide_kernel(const Store& store, const KernelRecipe& recipe,
                                   const Progress& progress, const Cancelled& cancelled) {
  if (auto found = find_built(store, recipe); !found || *found)
    return found.transform([](auto&& kernel) { return std::move(*kernel); });
  auto lock =
      store.lock_kernels(telling(progress, "Waiting for another build of a kernel"), cancelled);
  if (!lock) return tl::unexpected(lock.error());
  // Whoever was waited for may have built just this one.
  if (auto found = find_built(store, recipe); !found || *found)
    return found.transform([](auto&& kernel) { return std::move(*kernel); });
  auto work = store.make_kernel_directory();
  if (!work) return tl::unexpected(work.error());
  auto build = run_build(*work, progress, cancelled).and_then([&] {
    return keep(store, recipe, *work, progress, cancelled);
  });
  if (auto cleared = store.clear_kernel_directory(); build && !cleared)
    return tl::unexpected(cleared.error());
  return build;
}

}  // namespace gondolin::image
