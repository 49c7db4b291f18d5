#include "ingress/listeners_file.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace gondolin::ingress {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

Listeners parsed(std::string_view text) {
  auto result = parse_listeners(text);
  if (!result) {
    ADD_FAILURE() << result.error().message;
    return {};
  }
  return *result;
}

std::string error_of(std::string_view text) {
  auto result = parse_listeners(text);
  return result ? "none" : result.error().message;
}

Route route(std::string prefix, std::uint16_t port, StripPrefix strip = StripPrefix::kYes) {
  return {.prefix = std::move(prefix), .port = Port{port}, .strip = strip};
}

TEST(ListenersFile, TheFoundingDocumentsExample) {
  Listeners listeners = parsed(
      "# Send everything to the server on port 8000\n/ :8000\n\n"
      "# Route /api/* to port 9000, and strip the /api prefix\n/api :9000\n");
  EXPECT_THAT(listeners.routes, ElementsAre(route("/", 8000), route("/api", 9000)));
  EXPECT_THAT(listeners.warnings, IsEmpty());
}

TEST(ListenersFile, NothingIsNoRoutes) {
  for (std::string_view text : {"", "\n", "\r\n\r\n", "   \t ", "# only this", "#"}) {
    EXPECT_THAT(parsed(text).routes, IsEmpty()) << text;
  }
}

TEST(ListenersFile, TheInitialTextIsCanonicalAndEmptyOfRoutes) {
  Listeners listeners = parsed(kInitialListeners);
  EXPECT_THAT(listeners.routes, IsEmpty());
  EXPECT_EQ(listeners.canonical, kInitialListeners);
}

TEST(ListenersFile, CanonicalTextOfStrayCarriageReturnsIsItsOwn) {
  for (std::string_view text : {"# why\r\r\n", "/ :80 # why\r\r\r", "\r\r\n/ :80\r\r\n"}) {
    const std::string canonical = parsed(text).canonical;
    EXPECT_EQ(parsed(canonical).canonical, canonical);
    EXPECT_THAT(canonical, Not(HasSubstr("\r")));
  }
}

TEST(ListenersFile, CrlfBlanksTabsAndNulsAreFine) {
  EXPECT_THAT(parsed("/ :8000\r\n\t/api  \t :9000 \r\n").routes,
              ElementsAre(route("/", 8000), route("/api", 9000)));
  EXPECT_THAT(parsed(std::string_view("/\0 :80\0\0", 8)).routes, ElementsAre(route("/", 80)));
}

TEST(ListenersFile, ACommentBeginsAnywhere) {
  EXPECT_EQ(error_of("/ :8000# x\n/a#b :1\n"), "line 2: no port for '/a' (write '/a :8000')");
  EXPECT_THAT(parsed("/ :8000# x\n  # /a :1").routes, ElementsAre(route("/", 8000)));
}

TEST(ListenersFile, OneTrailingSlashIsDropped) {
  EXPECT_THAT(parsed("/api/ :1\n/b// :2\n//\t:3").routes,
              ElementsAre(route("/api", 1), route("/b/", 2), route("/", 3)));
}

TEST(ListenersFile, StripPrefixIsTrueOrFalse) {
  EXPECT_THAT(parsed("/a :1 strip_prefix=false\n/b :2 strip_prefix=true x=y strip=0\n").routes,
              ElementsAre(route("/a", 1, StripPrefix::kNo), route("/b", 2)));
  EXPECT_EQ(error_of("/a :1 strip_prefix=no"),
            "line 1: invalid option 'strip_prefix=no' (true or false)");
  EXPECT_EQ(error_of("/a :1 strip_prefix=true strip_prefix=true"),
            "line 1: strip_prefix given twice");
}

TEST(ListenersFile, ErrorsNameTheLineAndTheReason) {
  EXPECT_EQ(error_of("\n# x\n/ :80x"), "line 3: invalid port ':80x' (1-65535)");
  EXPECT_EQ(error_of("/ 8000"), "line 1: invalid port '8000' (1-65535)");
  for (std::string_view port :
       {":0", ":65536", ":", ":-1", ":+1", ":1e3", ":99999999999999999999"}) {
    EXPECT_EQ(error_of("/ " + std::string(port)),
              "line 1: invalid port '" + std::string(port) + "' (1-65535)");
  }
  EXPECT_EQ(error_of("api :80"), "line 1: invalid prefix 'api' (must start with /)");
  EXPECT_EQ(error_of("/a?b :80"), "line 1: invalid prefix '/a?b' (must not hold ?)");
  EXPECT_EQ(error_of("/a\x01 :80"),
            "line 1: invalid prefix '/a\\x01' (must not hold blanks or control bytes)");
  EXPECT_EQ(error_of("/\n"), "line 1: no port for '/' (write '/ :8000')");
  EXPECT_EQ(error_of("/ :80 whatever"), "line 1: invalid option 'whatever' (key=value)");
  EXPECT_EQ(error_of("/ :80 =x"), "line 1: invalid option '=x' (key=value)");
}

TEST(ListenersFile, ALongFieldIsNotRepeatedWhole) {
  EXPECT_LT(error_of(std::string(60'000, 'x')).size(), 200U);
}

TEST(ListenersFile, TheFirstOfAPrefixWinsAndAWarningNamesBothLines) {
  Listeners listeners = parsed("/api :1\n/ :2\n/api/ :3\n");
  EXPECT_THAT(listeners.routes, ElementsAre(route("/api", 1), route("/", 2)));
  EXPECT_THAT(listeners.warnings,
              ElementsAre("line 3: '/api' is routed by line 1 already, which wins"));
}

TEST(ListenersFile, APrefixThatCanNeverMatchIsWarnedOf) {
  EXPECT_THAT(parsed("/a/../b :1").warnings, ElementsAre(HasSubstr("can never match")));
}

TEST(ListenersFile, OverSixtyFourKibibytesIsRefused) {
  EXPECT_EQ(error_of(std::string(kMaxListenersBytes, '#')), "none");
  EXPECT_EQ(error_of(std::string(kMaxListenersBytes + 1, '#')), "the file is larger than 64 KiB");
}

TEST(ListenersFile, CanonicalFormKeepsCommentsOrderAndUnknownOptions) {
  EXPECT_EQ(parsed("  # first\r\n\r\n/api/   :08000   color=red\tstrip_prefix=true # why\n/ :1")
                .canonical,
            "  # first\n\n/api\t:8000\tcolor=red\tstrip_prefix=true\t# why\n/\t:1\n");
}

TEST(ListenersFile, CanonicalFormIsAFixedPoint) {
  EXPECT_EQ(parsed("/a// :1").canonical, "/a//\t:1\n");
  EXPECT_EQ(parsed("// :1").canonical, "/\t:1\n");
  std::string once = parsed("/a/ :1 k=v#c\n\n#x\n/a :2\n").canonical;
  EXPECT_EQ(parsed(once).canonical, once);
}

TEST(ListenersFile, RenderedRoutesAreCanonicalAndReadBack) {
  std::vector<Route> routes{route("/", 1), route("/b", 2, StripPrefix::kNo)};
  std::string text = render_listeners(routes);
  EXPECT_EQ(text, "/\t:1\n/b\t:2\tstrip_prefix=false\n");
  EXPECT_EQ(parsed(text).routes, routes);
  EXPECT_EQ(parsed(text).canonical, text);
}

}  // namespace
}  // namespace gondolin::ingress
