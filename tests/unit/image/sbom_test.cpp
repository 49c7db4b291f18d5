#include "image/sbom.hpp"

#include <set>

#include <gmock/gmock.h>
#include <nlohmann/json.hpp>

#include "image/files.hpp"
#include "temp_store.hpp"

namespace gondolin::image {
namespace {

using nlohmann::json;

class Sbom : public StoreTest {
 protected:
  Manifest image() const {
    const auto held = lock();
    return add_image("a:latest", "x");
  }

  static json package(const json& document, const std::string& name) {
    for (const json& each : document["packages"])
      if (each["name"] == name) return each;
    return {};
  }
};

// What SPDX 2.3 makes mandatory (its chapters 6, 7 and 11).
TEST_F(Sbom, IsAnSpdxDocumentOfOneImageAndAllItContains) {
  const Manifest manifest = image();
  const json document = json::parse(sbom(manifest));
  EXPECT_EQ(document["spdxVersion"], "SPDX-2.3");
  EXPECT_EQ(document["dataLicense"], "CC0-1.0");
  EXPECT_EQ(document["SPDXID"], "SPDXRef-DOCUMENT");
  EXPECT_EQ(document["creationInfo"]["created"], manifest.created);
  EXPECT_THAT(document["documentNamespace"].get<std::string>(), testing::EndsWith(manifest.id()));
  std::set<std::string> ids;
  for (const json& each : document["packages"]) {
    const std::string id = each["SPDXID"];
    EXPECT_THAT(id, testing::MatchesRegex("SPDXRef-[A-Za-z0-9.-]+"));
    EXPECT_TRUE(ids.insert(id).second) << id;
    EXPECT_FALSE(each["name"].get<std::string>().empty());
    EXPECT_TRUE(each.contains("downloadLocation") && each.contains("filesAnalyzed"));
  }
  EXPECT_EQ(ids.size(), 1 + manifest.base.packages.size() + manifest.guest.size());
  std::set<std::string> contained;
  for (const json& each : document["relationships"])
    if (each["relationshipType"] == "CONTAINS") contained.insert(each["relatedSpdxElement"]);
  EXPECT_EQ(contained.size(), ids.size() - 1);
}

TEST_F(Sbom, HasEachPackagesVersionHashAndUrl) {
  const json document = json::parse(sbom(image()));
  const json bash = package(document, "bash");
  EXPECT_EQ(bash["versionInfo"], "5");
  EXPECT_EQ(bash["checksums"][0]["algorithm"], "SHA256");
  EXPECT_EQ(bash["checksums"][0]["checksumValue"], std::string(64, 'b'));
  const json compiler = package(document, "g++");
  EXPECT_FALSE(compiler.contains("checksums"));
  EXPECT_THAT(compiler["externalRefs"][0]["referenceLocator"].get<std::string>(),
              testing::StartsWith("pkg:deb/debian/g%2B%2B@4%3A12.2.0-3?distro="));
  EXPECT_EQ(package(document, "gondolin-guest-init")["checksums"][0]["checksumValue"], "0");
}

TEST_F(Sbom, LiesInTheStoreBesideItsImageAndGoesWithIt) {
  const Manifest manifest = image();
  const auto file = directory_ / "store/sboms" / (manifest.id() + ".spdx.json");
  EXPECT_EQ(read_file(file), sbom(manifest));
  EXPECT_EQ(store().read_sbom(manifest.id()), sbom(manifest));
  const auto held = lock();
  ASSERT_TRUE(store().remove_image(manifest.id()));
  ASSERT_TRUE(store().collect_garbage());
  EXPECT_FALSE(std::filesystem::exists(file));
}

TEST_F(Sbom, OfAnImageFromBeforeThereWereAnyIsMadeOfItsManifest) {
  const Manifest manifest = image();
  std::filesystem::remove_all(directory_ / "store/sboms");
  EXPECT_EQ(store().read_sbom(manifest.id()), sbom(manifest));
}

TEST_F(Sbom, AManifestWithAPackageThatHasNoVersionMakesOneAllTheSame) {
  Manifest manifest = image();
  manifest.base.packages = {"", "bash"};
  EXPECT_EQ(package(json::parse(sbom(manifest)), "bash")["versionInfo"], "");
}

}  // namespace
}  // namespace gondolin::image
