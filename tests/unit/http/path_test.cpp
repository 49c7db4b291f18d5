// Dot segments go, every other byte stays (RFC 3986 5.2.4, 6.2.2.2).
#include "http/path.hpp"

#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace gondolin::http {
namespace {

std::string normalized(std::string_view path) {
  PathNormalizer normalizer;
  return std::string(normalizer.normalize(path));
}

struct PathCase {
  std::string_view path;
  std::string_view result;
};

TEST(Path, LosesItsDotSegments) {
  const std::vector<PathCase> cases = {
      {"/a/b/c/./../../g", "/a/g"},  // the examples of RFC 3986 5.2.4
      {"/mid/content=5/../6", "/mid/6"},
      {"/.", "/"},
      {"/..", "/"},
      {"/./", "/"},
      {"/../", "/"},
      {"/../../..", "/"},
      {"/../a", "/a"},
      {"/api/.", "/api/"},
      {"/api/..", "/"},
      {"/api/../", "/"},
      {"/api/./x", "/api/x"},
      {"/api/../admin", "/admin"},
      {"/api/x/../../admin/", "/admin/"},
      {"/a/b/..", "/a/"},
      {"/a/../../b", "/b"},
      {"/..//", "//"},
      {"//..", "/"},
      {"//../x", "/x"},
      {"/a//../x", "/a/x"},
      {"/a//..//x", "/a//x"},
      {"/.//x", "//x"},
      {"/..//evil.com/", "//evil.com/"},
  };
  for (const PathCase& c : cases)
    EXPECT_EQ(normalized(c.path), c.result) << c.path;
}

TEST(Path, LosesDotSegmentsThatAreEscaped) {
  for (std::string_view dots :
       {"..", "%2e%2e", "%2E%2E", "%2e%2E", ".%2e", ".%2E", "%2e.", "%2E."}) {
    const std::string path = "/api/" + std::string(dots) + "/admin";
    EXPECT_EQ(normalized(path), "/admin") << path;
    EXPECT_EQ(normalized("/api/x/" + std::string(dots)), "/api/") << dots;
  }
  EXPECT_EQ(normalized("/a/%2e/b"), "/a/b");
  EXPECT_EQ(normalized("/a/%2E"), "/a/");
}

TEST(Path, KeepsEveryOtherByte) {
  for (std::string_view path : {"/",
                                "//",
                                "/a",
                                "/a/",
                                "/a//b",
                                "//api/x",
                                "/...",
                                "/.a",
                                "/a.",
                                "/..a",
                                "/a..",
                                "/%2e%2e%2e",
                                "/.;/",
                                "/..;/x",
                                "/a/..%2f",
                                "/a/..%2Fb",
                                "/%2f..%2f",
                                "/%252e%252e/x",
                                "/%2",
                                "/%",
                                "/%2e%",
                                "/%2e%2",
                                "/.%",
                                "/\\..\\x",
                                "/..\\x",
                                "/%2e%2e\\x",
                                "/a/%zz",
                                "/\xc3\xa9/\xff",
                                "/a b",
                                "/.%2e.",
                                "/%c0%ae%c0%ae/",
                                "/.%00/x",
                                "*",
                                ""}) {
    EXPECT_FALSE(has_dot_segments(path)) << path;
    EXPECT_EQ(normalized(path), path);
  }
}

TEST(Path, IsReturnedItselfWhenThereIsNothingToRemove) {
  PathNormalizer normalizer;
  const std::string_view path = "/a/b";
  EXPECT_EQ(normalizer.normalize(path).data(), path.data());
}

TEST(Path, IsNormalAfterOneNormalization) {
  for (std::string_view path :
       {"/a/./../..//../x/..", "/%2e/.%2e//./..", "//../..//.", "/..///../.."}) {
    const std::string once = normalized(path);
    EXPECT_FALSE(has_dot_segments(once)) << path;
    EXPECT_EQ(once.front(), '/');
  }
}

TEST(Path, IsNormalizedInLinearTime) {
  std::string path;
  for (int i = 0; i < 100'000; ++i)
    path += "/a/..";
  EXPECT_EQ(normalized(path), "/");
}

}  // namespace
}  // namespace gondolin::http
