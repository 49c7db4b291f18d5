#include "image/manifest.hpp"

#include <time.h>

#include <utility>

#include <nlohmann/json.hpp>

namespace gondolin::image {
namespace {

using Json = nlohmann::ordered_json;

// Part of every key, so that a change of what the builder makes of the same
// inputs makes new images.
constexpr int kFormat = 1;

constexpr char kTimestamp[] = "%Y-%m-%dT%H:%M:%SZ";

std::string digest_of(const Json& json) {
  return sha256(as_bytes(json.dump()));
}

Json to_json(const Digest& digest) {
  return {{"sha256", digest.sha256}, {"size", digest.size}};
}

Digest digest_from(const Json& json) {
  return {json.at("sha256").get<std::string>(), json.at("size").get<std::uint64_t>()};
}

Json to_json(const Recipe& recipe) {
  return {{"suite", recipe.suite},
          {"mirror", recipe.mirror},
          {"security_mirror", recipe.security_mirror},
          {"kernel_package", recipe.kernel_package},
          {"packages", recipe.packages},
          {"requested", recipe.requested},
          {"modules", recipe.modules},
          {"script_sha256", recipe.script_sha256}};
}

Recipe recipe_from(const Json& json) {
  return {.suite = json.at("suite"),
          .mirror = json.at("mirror"),
          .security_mirror = json.at("security_mirror"),
          .kernel_package = json.at("kernel_package"),
          .packages = json.at("packages"),
          .requested = json.at("requested"),
          .modules = json.at("modules"),
          .script_sha256 = json.at("script_sha256")};
}

Json to_json(const std::vector<Index>& indexes) {
  Json json = Json::array();
  for (const Index& index : indexes)
    json.push_back({{"name", index.name}, {"date", index.date}, {"sha256", index.sha256}});
  return json;
}

std::vector<Index> indexes_from(const Json& json) {
  std::vector<Index> indexes;
  for (const Json& index : json)
    indexes.push_back(
        {.name = index.at("name"), .date = index.at("date"), .sha256 = index.at("sha256")});
  return indexes;
}

Json to_json(const RootBuild& build) {
  return {{"recipe", to_json(build.recipe)},   {"kernel_release", build.kernel_release},
          {"created", build.created},          {"kernel", to_json(build.kernel)},
          {"modules", to_json(build.modules)}, {"root", to_json(build.root)},
          {"packages", build.packages},        {"package_sha256", build.package_sha256},
          {"indexes", to_json(build.indexes)}};
}

RootBuild root_build_from(const Json& json) {
  return {.recipe = recipe_from(json.at("recipe")),
          .kernel = digest_from(json.at("kernel")),
          .modules = digest_from(json.at("modules")),
          .root = digest_from(json.at("root")),
          .kernel_release = json.at("kernel_release"),
          .packages = json.at("packages"),
          // Images made before these were noted are still good to boot.
          .package_sha256 = json.value("package_sha256", std::map<std::string, std::string>()),
          .indexes = indexes_from(json.value("indexes", Json::array())),
          .created = json.at("created")};
}

Json to_json(const KernelRecipe& recipe) {
  return {{"source", recipe.source},
          {"version", recipe.version},
          {"compiler", recipe.compiler},
          {"config_sha256", recipe.config_sha256},
          {"script_sha256", recipe.script_sha256}};
}

Json to_json(const KernelBuild& build) {
  return {{"recipe", to_json(build.recipe)},
          {"release", build.release},
          {"created", build.created},
          {"kernel", to_json(build.kernel)}};
}

KernelBuild kernel_build_from(const Json& json) {
  const Json& recipe = json.at("recipe");
  return {.recipe = {.source = recipe.at("source"),
                     .version = recipe.at("version"),
                     .compiler = recipe.at("compiler"),
                     .config_sha256 = recipe.at("config_sha256"),
                     .script_sha256 = recipe.at("script_sha256")},
          .kernel = digest_from(json.at("kernel")),
          .release = json.at("release"),
          .created = json.at("created")};
}

}  // namespace

std::string Recipe::key() const {
  return digest_of({{"format", kFormat}, {"recipe", image::to_json(*this)}});
}

std::string RootBuild::to_json() const {
  return image::to_json(*this).dump(2) + "\n";
}

Result<RootBuild> RootBuild::parse(std::string_view json) {
  try {
    return root_build_from(Json::parse(json));
  } catch (const Json::exception& error) {
    return fail(ErrorCode::kProtocol, std::string("damaged record of a build: ") + error.what());
  }
}

std::string KernelRecipe::key() const {
  return digest_of({{"format", kFormat}, {"kernel_recipe", image::to_json(*this)}});
}

std::string KernelBuild::to_json() const {
  return image::to_json(*this).dump(2) + "\n";
}

Result<KernelBuild> KernelBuild::parse(std::string_view json) {
  try {
    return kernel_build_from(Json::parse(json));
  } catch (const Json::exception& error) {
    return fail(ErrorCode::kProtocol, std::string("damaged record of a kernel: ") + error.what());
  }
}

std::vector<Manifest::Blob> Manifest::blobs() const {
  std::vector<Blob> blobs{{"kernel", kernel()},
                          {"modules", base.modules},
                          {"root", base.root},
                          {"initramfs", initramfs}};
  // What another image of the same root boots.
  if (minimal_kernel) blobs.push_back({"stock kernel", base.kernel});
  return blobs;
}

const Digest& Manifest::kernel() const {
  return minimal_kernel ? minimal_kernel->kernel : base.kernel;
}

const std::string& Manifest::kernel_release() const {
  return minimal_kernel ? minimal_kernel->release : base.kernel_release;
}

std::string Manifest::id() const {
  return digest_of(
      {{"kernel", kernel().sha256}, {"initramfs", initramfs.sha256}, {"root", base.root.sha256}});
}

std::string Manifest::build_id() const {
  Json inputs = {{"recipe", base.recipe.key()}, {"guest", guest}};
  if (minimal_kernel) inputs["kernel"] = minimal_kernel->recipe.key();
  return digest_of(inputs);
}

std::string Manifest::to_json() const {
  Json json = {{"format", kFormat},
               {"id", id()},
               {"build_id", build_id()},
               {"created", created},
               {"kernel", minimal_kernel ? "minimal" : "stock"},
               {"initramfs", image::to_json(initramfs)},
               {"guest", guest},
               {"base", image::to_json(base)}};
  if (minimal_kernel) json["minimal_kernel"] = image::to_json(*minimal_kernel);
  return json.dump(2) + "\n";
}

Result<Manifest> Manifest::parse(std::string_view text) {
  try {
    const Json json = Json::parse(text);
    if (json.at("format").get<int>() != kFormat)
      return fail(ErrorCode::kProtocol, "the image was made by another version of gondolin");
    std::optional<KernelBuild> kernel;
    if (json.contains("minimal_kernel")) kernel = kernel_build_from(json["minimal_kernel"]);
    Manifest manifest{.base = root_build_from(json.at("base")),
                      .minimal_kernel = std::move(kernel),
                      .guest = json.at("guest"),
                      .initramfs = digest_from(json.at("initramfs")),
                      .created = json.at("created")};
    if (manifest.id() != json.at("id").get<std::string>())
      return fail(ErrorCode::kProtocol, "the manifest's id does not fit its content");
    return manifest;
  } catch (const Json::exception& error) {
    return fail(ErrorCode::kProtocol, std::string("damaged manifest: ") + error.what());
  }
}

std::string timestamp_now() {
  return timestamp_of(::time(nullptr));
}

std::string timestamp_of(std::int64_t seconds) {
  const time_t time = seconds;
  tm utc{};
  ::gmtime_r(&time, &utc);
  char text[32];
  return {text, ::strftime(text, sizeof text, kTimestamp, &utc)};
}

std::int64_t seconds_of(const std::string& timestamp) {
  tm utc{};
  return ::strptime(timestamp.c_str(), kTimestamp, &utc) == nullptr ? 0 : ::timegm(&utc);
}

}  // namespace gondolin::image
