#include "ingress/router.hpp"

#include <string>

#include <gtest/gtest.h>

namespace gondolin::ingress {
namespace {

Router router_of(std::vector<std::string> prefixes) {
  std::vector<Route> routes;
  for (std::string& prefix : prefixes) {
    routes.push_back(
        {.prefix = std::move(prefix), .port = Port{static_cast<std::uint16_t>(routes.size() + 1)}});
  }
  return Router(std::move(routes));
}

std::string match(const Router& router, std::string_view path) {
  const Route* route = router.match(path);
  return route == nullptr ? "none" : route->prefix;
}

TEST(Router, LongestPrefixWins) {
  Router router = router_of({"/", "/api/v1", "/api"});
  EXPECT_EQ(match(router, "/api/v1/x"), "/api/v1");
  EXPECT_EQ(match(router, "/api/v2"), "/api");
  EXPECT_EQ(match(router, "/about"), "/");
}

TEST(Router, ApiPrefixDoesNotMatchApix) {
  Router router = router_of({"/api"});
  EXPECT_EQ(match(router, "/api"), "/api");
  EXPECT_EQ(match(router, "/api/"), "/api");
  EXPECT_EQ(match(router, "/api/x"), "/api");
  EXPECT_EQ(match(router, "/apix"), "none");
  EXPECT_EQ(match(router, "/ap"), "none");
  EXPECT_EQ(match(router, "/"), "none");
}

TEST(Router, BytesAreComparedAsSent) {
  Router router = router_of({"/Api", "/a%2Fb"});
  EXPECT_EQ(match(router, "/api"), "none");
  EXPECT_EQ(match(router, "/a%2Fb/c"), "/a%2Fb");
  EXPECT_EQ(match(router, "/a%2fb"), "none");
  EXPECT_EQ(match(router, "/a/b"), "none");
}

TEST(Router, DoubleSlashesAreSegmentsOfTheirOwn) {
  Router router = router_of({"/", "/x", "/a/"});
  EXPECT_EQ(match(router, "//x/admin"), "/");
  EXPECT_EQ(match(router, "/x//admin"), "/x");
  EXPECT_EQ(match(router, "/a//b"), "/a/");
  EXPECT_EQ(match(router, "/a/b"), "/");
}

TEST(Router, AsteriskIsTheRootRoutes) {
  EXPECT_EQ(match(router_of({"/a", "/"}), "*"), "/");
  EXPECT_EQ(match(router_of({"/a"}), "*"), "none");
}

TEST(Router, WithoutRoutesNothingMatches) {
  EXPECT_EQ(match(Router(), "/"), "none");
}

TEST(Router, StrippingLeavesTheRestOrASlash) {
  const Route api{.prefix = "/api", .port = Port{1}};
  EXPECT_EQ(forwarded_path(api, "/api/users"), "/users");
  EXPECT_EQ(forwarded_path(api, "/api"), "/");
  EXPECT_EQ(forwarded_path(api, "/api/"), "/");
  EXPECT_EQ(forwarded_path(api, "/api//evil.com"), "//evil.com");
  const Route kept{.prefix = "/api", .port = Port{1}, .strip = StripPrefix::kNo};
  EXPECT_EQ(forwarded_path(kept, "/api/users"), "/api/users");
  const Route root{.prefix = "/", .port = Port{1}};
  EXPECT_EQ(forwarded_path(root, "//api/x"), "//api/x");
  EXPECT_EQ(forwarded_path(root, "*"), "*");
  EXPECT_FALSE(strips(root));
}

TEST(Router, FindsEachOfAThousandRoutes) {
  std::vector<std::string> prefixes;
  for (int i = 0; i < 1000; ++i)
    prefixes.push_back("/service-" + std::to_string(i) + "/api");
  Router router = router_of(prefixes);
  for (const std::string& prefix : prefixes) {
    const Route* route = router.match(prefix + "/" + std::string(8000, '/'));
    ASSERT_NE(route, nullptr);
    EXPECT_EQ(route->prefix, prefix);
    EXPECT_EQ(router.match(prefix + "x"), nullptr);
  }
}

}  // namespace
}  // namespace gondolin::ingress
