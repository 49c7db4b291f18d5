// `gondolin image …`: builds, shows and removes the images that VMs boot from.

#include <sys/ioctl.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <fstream>
#include <iterator>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include <fmt/chrono.h>
#include <fmt/format.h>

#include "cli/commands.hpp"
#include "cli/human_size.hpp"
#include "cli/image_progress.hpp"
#include "gondolin/error.hpp"
#include "gondolin/image.hpp"

namespace gondolin::cli {
namespace {

constexpr std::size_t kShortId = 12;

std::string read_text(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::string text{std::istreambuf_iterator<char>(file), {}};
  if (!file) throw CommandError("cannot read " + path);
  return text;
}

const std::map<std::string, ImageKernel> kKernels = {{"minimal", ImageKernel::kMinimal},
                                                     {"stock", ImageKernel::kStock}};

// Builds and prints the id; what a signal interrupts ends with 128 plus its number.
int build_image(const ImageBuildOptions& options) {
  ImageProgressPrinter printer;
  const InterruptWatch interrupt;
  try {
    const ImageFiles files =
        ImageStore().build(options, printer.sink(), [&] { return interrupt.signal() != 0; });
    printer.finish();
    fmt::print("{}\n", files.id);
    return 0;
  } catch (const ApiError& error) {
    if (error.code() != ApiErrorCode::kCancelled) throw;
    return 128 + interrupt.signal();
  }
}

void add_build(CLI::App& image, Invocation& invocation) {
  struct Options {
    ImageBuildOptions build;
    std::vector<std::string> packages;
    std::string pins;
    bool update = false;
  };
  auto options = std::make_shared<Options>();
  CLI::App* command = image.add_subcommand("build", "Build a Debian image, if it is not there yet");
  command->footer(
      "Prints the id of the image. The first build takes about a minute and downloads 100 MB; the\n"
      "same inputs build nothing again. Needs mmdebstrap, erofs-utils and, without root, uidmap.\n"
      "--kernel minimal compiles a kernel that boots in less than half the time from Debian's\n"
      "source, once: many minutes. From then on images have it unless --kernel stock is given.");
  CLI::Option* packages =
      command->add_option("--package", options->packages, "Debian package to add; repeatable")
          ->type_name("NAME")
          ->allow_extra_args(false);
  command->add_option("--tag", options->build.tag, "Name of the result: NAME or NAME:VERSION")
      ->type_name("REF")
      ->capture_default_str();
  CLI::Option* pins =
      command
          ->add_option("--pins", options->pins,
                       "Build the image of this manifest (image inspect) again, byte for byte")
          ->type_name("FILE")
          ->check(CLI::ExistingFile)
          ->excludes(packages);
  command->add_flag("--update", options->update,
                    "Build anew to get the newest packages, even when nothing else changed");
  command
      ->add_option("--kernel", options->build.kernel,
                   "minimal (our own) or stock (Debian's); when left out, minimal if it was\n"
                   "built before, else stock")
      ->excludes(pins)
      ->transform(CLI::CheckedTransformer(kKernels).description(""))
      ->type_name("KERNEL");
  command->callback([options, &invocation] {
    options->build.packages = options->packages;
    if (!options->pins.empty()) options->build.pins = read_text(options->pins);
    if (options->update) options->build.freshness = ImageFreshness::kUpdate;
    invocation.exit_code = build_image(options->build);
  });
}

void add_ls(CLI::App& image) {
  CLI::App* command = image.add_subcommand("ls", "List the images");
  command->callback([] {
    const auto images = ImageStore().list();
    if (images.empty()) {
      fmt::print(stderr, "There are no images yet: `gondolin image build` makes one.\n");
      return;
    }
    fmt::print("{:<24} {:<12} {:<17} {:>10}  {:<7}  {}\n", "TAG", "ID", "CREATED (UTC)", "SIZE",
               "KERNEL", "ADDED");
    for (const ImageInfo& each : images) {
      const auto row = [&](const std::string& tag) {
        fmt::print("{:<24} {:<12} {:%Y-%m-%d %H:%M}  {:>10}  {:<7}  {}\n", tag,
                   each.id.substr(0, kShortId),
                   fmt::gmtime(std::chrono::system_clock::to_time_t(each.created)),
                   human_size(each.size),
                   each.kernel == ImageKernel::kMinimal ? "minimal" : "stock",
                   fmt::join(each.requested, " "));
      };
      if (each.tags.empty()) row("-");
      for (const std::string& tag : each.tags)
        row(tag);
    }
  });
}

// Adds the positional argument that names an image.
std::shared_ptr<std::string> add_ref(CLI::App& command, const std::string& initial) {
  auto ref = std::make_shared<std::string>(initial);
  CLI::Option* option =
      command.add_option("ref", *ref, "A tag, an id, or at least 6 digits of an id")
          ->type_name("REF");
  if (initial.empty()) {
    option->required();
  } else {
    option->capture_default_str();
  }
  return ref;
}

void add_inspect(CLI::App& image) {
  CLI::App* command = image.add_subcommand("inspect", "Print an image's manifest, JSON");
  auto ref = add_ref(*command, kDefaultImage);
  auto sbom = std::make_shared<bool>(false);
  command->add_flag("--sbom", *sbom, "Print what is in it instead: SPDX 2.3, JSON");
  command->callback([ref, sbom] {
    const ImageStore store;
    fmt::print("{}", *sbom ? store.sbom(*ref) : store.inspect(*ref));
  });
}

void add_tag(CLI::App& image) {
  CLI::App* command = image.add_subcommand("tag", "Give an image one more name");
  auto ref = add_ref(*command, "");
  auto tag = std::make_shared<std::string>();
  command->add_option("tag", *tag, "NAME or NAME:VERSION")->type_name("TAG")->required();
  command->callback([ref, tag] { ImageStore().tag(*ref, *tag); });
}

void add_rm(CLI::App& image) {
  CLI::App* command = image.add_subcommand(
      "rm", "Remove a tag, or an image by its id, and whatever nothing names any more");
  auto ref = add_ref(*command, "");
  command->callback([ref] {
    const std::uint64_t freed = ImageStore().remove(*ref);
    fmt::print(stderr, "Freed {}.\n", human_size(freed));
  });
}

void add_verify(CLI::App& image, Invocation& invocation) {
  CLI::App* command =
      image.add_subcommand("verify", "Hash the blobs of an image, or of all, and compare");
  auto ref = std::make_shared<std::string>();
  command->add_option("ref", *ref, "A tag or id; every image when left out")->type_name("REF");
  command->callback([ref, &invocation] {
    const auto problems = ImageStore().verify(*ref);
    for (const ImageProblem& problem : problems)
      fmt::print(stderr, "{}: {}\n", problem.image.substr(0, kShortId), problem.text);
    if (problems.empty()) {
      fmt::print("ok\n");
    } else {
      invocation.exit_code = 1;
    }
  });
}

}  // namespace

void add_image_command(CLI::App& app, Invocation& invocation) {
  CLI::App* image = app.add_subcommand("image", "Build and manage the images that VMs boot from");
  image->require_subcommand(1);
  add_build(*image, invocation);
  add_ls(*image);
  add_inspect(*image);
  add_tag(*image);
  add_rm(*image);
  add_verify(*image, invocation);
}

}  // namespace gondolin::cli
