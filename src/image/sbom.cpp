// Each Debian package with its version, package URL and the hash of its package file, and our
// guest programs with theirs, all contained in one package that is the image. What nobody
// looked into (licences, copyright) is NOASSERTION, as the specification wants it said.
#include "image/sbom.hpp"

#include <algorithm>
#include <string_view>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace gondolin::image {
namespace {

using Json = nlohmann::ordered_json;

constexpr char kUnknown[] = "NOASSERTION";
constexpr char kImageId[] = "SPDXRef-Image";

// As package URLs have versions: what is not unreserved in RFC 3986 is %XX.
std::string percent_encoded(std::string_view text) {
  std::string encoded;
  for (const char byte : text) {
    const bool plain = (byte >= '0' && byte <= '9') || (byte >= 'a' && byte <= 'z') ||
                       (byte >= 'A' && byte <= 'Z') ||
                       std::string_view("-._~").find(byte) != std::string_view::npos;
    encoded +=
        plain ? std::string(1, byte)
              : fmt::format("%{:02X}", static_cast<unsigned>(static_cast<unsigned char>(byte)));
  }
  return encoded;
}

// Ids have letters, digits, '.' and '-' only; the number keeps apart what that makes alike.
std::string package_id(std::size_t number, std::string_view name) {
  std::string id = fmt::format("SPDXRef-{}-", number);
  for (const char letter : name)
    id += letter == '+' || letter == '_' ? '-' : letter;
  return id;
}

Json package(const std::string& id, std::string_view name, std::string_view version) {
  return {{"SPDXID", id},
          {"name", name},
          {"versionInfo", version},
          {"downloadLocation", kUnknown},
          {"filesAnalyzed", false},
          {"licenseConcluded", kUnknown},
          {"licenseDeclared", kUnknown},
          {"copyrightText", kUnknown}};
}

Json checksums(const std::string& sha256) {
  return Json::array({{{"algorithm", "SHA256"}, {"checksumValue", sha256}}});
}

Json debian_package(const std::string& id, const RootBuild& build, std::string_view name,
                    std::string_view version) {
  Json json = package(id, name, version);
  json["supplier"] = "Organization: Debian";
  if (const auto hash = build.package_sha256.find(std::string(name));
      hash != build.package_sha256.end())
    json["checksums"] = checksums(hash->second);
  json["externalRefs"] =
      Json::array({{{"referenceCategory", "PACKAGE-MANAGER"},
                    {"referenceType", "purl"},
                    {"referenceLocator",
                     fmt::format("pkg:deb/debian/{}@{}?distro={}", percent_encoded(name),
                                 percent_encoded(version), percent_encoded(build.recipe.suite))}}});
  return json;
}

Json relation(std::string_view from, std::string_view type, std::string_view to) {
  return {{"spdxElementId", from}, {"relationshipType", type}, {"relatedSpdxElement", to}};
}

}  // namespace

std::string sbom(const Manifest& manifest) {
  const std::string image = manifest.id();
  Json packages = Json::array();
  Json relations = Json::array({relation("SPDXRef-DOCUMENT", "DESCRIBES", kImageId)});
  packages.push_back(package(kImageId, "gondolin-image", image));
  packages.back()["primaryPackagePurpose"] = "OPERATING-SYSTEM";
  const auto add = [&](Json json) {
    relations.push_back(relation(kImageId, "CONTAINS", json["SPDXID"].get<std::string>()));
    packages.push_back(std::move(json));
  };
  for (const std::string& line : manifest.base.packages) {
    const std::string_view name = std::string_view(line).substr(0, line.find(' '));
    const std::string_view version =
        std::string_view(line).substr(std::min(line.size(), name.size() + 1));
    add(debian_package(package_id(packages.size(), name), manifest.base, name, version));
  }
  for (const auto& [name, sha256] : manifest.guest) {
    Json json = package(package_id(packages.size(), name), "gondolin-guest-" + name, sha256);
    json["checksums"] = checksums(sha256);
    json["primaryPackagePurpose"] = "APPLICATION";
    add(std::move(json));
  }
  const Json document = {
      {"spdxVersion", "SPDX-2.3"},
      {"dataLicense", "CC0-1.0"},
      {"SPDXID", "SPDXRef-DOCUMENT"},
      {"name", "gondolin-image-" + image.substr(0, 12)},
      {"documentNamespace", "https://gondolin.invalid/spdx/" + image},
      {"creationInfo",
       {{"created", manifest.created}, {"creators", Json::array({"Tool: gondolin"})}}},
      {"documentDescribes", Json::array({kImageId})},
      {"packages", std::move(packages)},
      {"relationships", std::move(relations)}};
  return document.dump(2) + "\n";
}

}  // namespace gondolin::image
