// From request target to route and backend target: longest prefix, stripping, dot
// segments, and every byte that must survive.
#include "harness/wire_test.hpp"

namespace gondolin::wiretest {
namespace {

// Where the request must arrive.
enum class At { kRoot, kApi, kV2, kKept, kEncoded };

struct PathRow {
  std::string name;
  std::string source;
  std::string target;   // as the client sends it
  At at;                // the backend it must reach
  std::string forward;  // the target the backend must see
};

FakeBackend& backend_of(At at) {
  switch (at) {
    case At::kApi:
      return site().api;
    case At::kV2:
      return site().v2;
    case At::kKept:
      return site().kept;
    case At::kEncoded:
      return site().encoded;
    case At::kRoot:
      break;
  }
  return site().root;
}

void expect_path(const PathRow& row) {
  Exchange x = exchange(site(), backend_of(row.at), get(row.target));
  EXPECT_EQ(x.request.start_line, "GET " + row.forward + " HTTP/1.1");
  x.backend.send(ok("here"));
  EXPECT_EQ(receive_response(x.client).body, "here");
}

const std::string kRouting = "contract: routing";
const std::string kStripping = "contract: stripping";
const std::string kDots = "RFC 3986 5.2.4";
const std::string kBytes = "contract: every other byte reaches the backend as sent";

const std::vector<PathRow> kRoutes = {
    {"RootPathGoesToTheRootRoute", kRouting, "/", At::kRoot, "/"},
    {"OtherPathGoesToTheRootRoute", kRouting, "/about", At::kRoot, "/about"},
    {"PathBelowAPrefixGoesToItsRoute", kStripping, "/api/users", At::kApi, "/users"},
    {"PrefixItselfBecomesSlash", kStripping, "/api", At::kApi, "/"},
    {"PrefixWithSlashBecomesSlash", kStripping, "/api/", At::kApi, "/"},
    {"PrefixWithQueryKeepsTheQuery", kStripping, "/api?x=1", At::kApi, "/?x=1"},
    {"PrefixWithSlashAndQueryKeepsTheQuery", kStripping, "/api/?x=1", At::kApi, "/?x=1"},
    {"PrefixWithEmptyQueryKeepsTheMark", kStripping, "/api?", At::kApi, "/?"},
    {"LongestPrefixWins", kRouting, "/api/v2/x", At::kV2, "/x"},
    {"LongestPrefixItselfWins", kRouting, "/api/v2", At::kV2, "/"},
    {"ShorterPrefixTakesTheRest", kRouting, "/api/v3/x", At::kApi, "/v3/x"},
    {"LongerSegmentIsNotTheLongerPrefix", kRouting, "/api/v2x", At::kApi, "/v2x"},
    {"ApiPrefixDoesNotMatchApix", kRouting, "/apix", At::kRoot, "/apix"},
    {"ApiPrefixDoesNotMatchApiDash", kRouting, "/api-docs", At::kRoot, "/api-docs"},
    {"ApiPrefixDoesNotMatchApiDot", kRouting, "/api.json", At::kRoot, "/api.json"},
    {"ApiPrefixDoesNotMatchApiSemicolon", kRouting, "/api;v=1", At::kRoot, "/api;v=1"},
    {"ApiPrefixDoesNotMatchApiPercent", kRouting, "/api%2fx", At::kRoot, "/api%2fx"},
    {"ApiPrefixDoesNotMatchInsideThePath", kRouting, "/x/api/y", At::kRoot, "/x/api/y"},
    {"ApiPrefixDoesNotMatchInTheQuery", kRouting, "/x?/api/y", At::kRoot, "/x?/api/y"},
    {"MatchingIsCaseSensitive", kRouting, "/API/x", At::kRoot, "/API/x"},
    {"MatchingComparesBytesAsSent", kRouting, "/%61pi/x", At::kRoot, "/%61pi/x"},
    {"EncodedPrefixMatchesItsOwnSpelling", kRouting, "/a%2Fb/x", At::kEncoded, "/x"},
    {"EncodedPrefixDoesNotMatchOtherHexCase", kRouting, "/a%2fb/x", At::kRoot, "/a%2fb/x"},
    {"EncodedPrefixDoesNotMatchDecoded", kRouting, "/a/b/x", At::kRoot, "/a/b/x"},
    {"UnstrippedRouteKeepsThePath", "contract: strip_prefix=false", "/kept/x?y", At::kKept,
     "/kept/x?y"},
    {"UnstrippedRouteKeepsThePrefix", "contract: strip_prefix=false", "/kept", At::kKept, "/kept"},
    {"DoubleSlashBehindAPrefixSurvivesStripping", kStripping, "/api//x", At::kApi, "//x"},
    {"OnlySlashesBehindAPrefixSurvive", kStripping, "/api///", At::kApi, "///"},
    {"DoubleSlashBeforeAPrefixIsNoPrefix", "peers: //x/admin routed as /admin", "//api/x",
     At::kRoot, "//api/x"},
    {"DoubleSlashPathIsNoAuthority", "peers: //evil.com/api/x routed as /api/x", "//evil.com/api/x",
     At::kRoot, "//evil.com/api/x"},
    {"DoubleSlashAdminStaysWhole", "peers: //x/admin routed as /admin", "//x/admin", At::kRoot,
     "//x/admin"},
    {"OnlyTwoSlashesPass", kBytes, "//", At::kRoot, "//"},
    {"TrailingSlashesPass", kBytes, "/x//", At::kRoot, "/x//"},
};

const std::vector<PathRow> kDotSegments = {
    {"DotSegmentIsRemoved", kDots, "/a/./b", At::kRoot, "/a/b"},
    {"DotDotSegmentTakesItsParent", kDots, "/a/../b", At::kRoot, "/b"},
    {"DotDotAtTheRootIsRemoved", kDots, "/../x", At::kRoot, "/x"},
    {"ManyDotDotsAtTheRootAreRemoved", kDots, "/../../../../etc/passwd", At::kRoot, "/etc/passwd"},
    {"PathOfOnlyDotDotIsSlash", kDots, "/..", At::kRoot, "/"},
    {"PathOfOnlyDotIsSlash", kDots, "/.", At::kRoot, "/"},
    {"FinalDotLeavesASlash", kDots, "/a/.", At::kRoot, "/a/"},
    {"FinalDotDotLeavesASlash", kDots, "/a/b/..", At::kRoot, "/a/"},
    {"FinalDotDotWithSlashLeavesASlash", kDots, "/a/b/../", At::kRoot, "/a/"},
    {"ExampleOfTheRfcIsResolved", kDots, "/a/b/c/./../../g", At::kRoot, "/a/g"},
    {"DotDotRemovesAnEmptySegment", kDots, "/a//../b", At::kRoot, "/a/b"},
    {"DotBetweenSlashesKeepsBothSlashes", kDots, "/a/.//b", At::kRoot, "/a//b"},
    {"EncodedDotIsADotSegment", kDots, "/a/%2e/b", At::kRoot, "/a/b"},
    {"EncodedDotDotIsADotSegment", kDots, "/a/%2e%2e/b", At::kRoot, "/b"},
    {"EncodedDotDotInCapitalsIsADotSegment", kDots, "/a/%2E%2E/b", At::kRoot, "/b"},
    {"HalfEncodedDotDotIsADotSegment", kDots, "/a/.%2e/b", At::kRoot, "/b"},
    {"OtherHalfEncodedDotDotIsADotSegment", kDots, "/a/%2E./b", At::kRoot, "/b"},
    {"FinalEncodedDotDotLeavesASlash", kDots, "/a/b/%2e%2e", At::kRoot, "/a/"},
    {"DotDotLeavesAPrefixBeforeMatching", "contract: removed before matching", "/api/../x",
     At::kRoot, "/x"},
    {"EncodedDotDotLeavesAPrefixBeforeMatching", "contract: removed before matching",
     "/api/%2e%2e/admin", At::kRoot, "/admin"},
    {"DotDotEntersAPrefixBeforeMatching", "contract: removed before matching", "/x/../api/y",
     At::kApi, "/y"},
    {"DotDotInsideAPrefixStaysInside", "contract: removed before matching", "/api/a/../b", At::kApi,
     "/b"},
    {"DotDotFromTheLongerPrefixReachesTheShorter", "contract: removed before matching",
     "/api/v2/../x", At::kApi, "/x"},
    {"DotDotOnAnUnstrippedRouteIsResolved", "contract: removed before matching", "/kept/../kept/x",
     At::kKept, "/kept/x"},
    {"PrefixWithADotSegmentInsideMatches", "contract: removed before matching", "/./api/x",
     At::kApi, "/x"},
    {"PrefixBehindALeadingDotDotMatches", "contract: removed before matching", "/../api/x",
     At::kApi, "/x"},
    {"DotDotBehindAPrefixThatLeavesItKeepsTheQuery", "contract: removed before matching",
     "/api/..?q", At::kRoot, "/?q"},
    {"ThreeDotsAreAName", kBytes, "/a/.../b", At::kRoot, "/a/.../b"},
    {"DotsBeforeANameAreAName", kBytes, "/a/..b/c", At::kRoot, "/a/..b/c"},
    {"DotsAfterANameAreAName", kBytes, "/a/b../c", At::kRoot, "/a/b../c"},
    {"DotFileIsAName", kBytes, "/.well-known/x", At::kRoot, "/.well-known/x"},
    {"EncodedDotsBeforeANameAreLeftAsSent", kBytes, "/%2e%2eb", At::kRoot, "/%2e%2eb"},
    {"EncodedDotInAFileNameIsLeftAsSent", kBytes, "/a%2ejs", At::kRoot, "/a%2ejs"},
    {"DotDotBeforeAnEncodedSlashIsAName", kBytes, "/api/..%2fadmin", At::kApi, "/..%2fadmin"},
    {"DotDotBeforeAnEncodedBackslashIsAName", kBytes, "/api/..%5cadmin", At::kApi, "/..%5cadmin"},
    {"DotDotWithAParameterIsAName", kBytes, "/api/..;/admin", At::kApi, "/..;/admin"},
    {"DoublyEncodedDotDotIsAName", kBytes, "/api/%252e%252e/x", At::kApi, "/%252e%252e/x"},
    {"DotSegmentsInTheQueryAreLeftAsSent", kBytes, "/a?b=/../c/./d", At::kRoot, "/a?b=/../c/./d"},
    {"EncodedDotSegmentsInTheQueryAreLeftAsSent", kBytes, "/a?%2e%2e/", At::kRoot, "/a?%2e%2e/"},
};

const std::vector<PathRow> kPreserved = {
    {"EncodedSlashSurvives", kBytes, "/a%2Fb%2fc", At::kRoot, "/a%2Fb%2fc"},
    {"EncodedSpaceSurvives", kBytes, "/a%20b", At::kRoot, "/a%20b"},
    {"PlusSurvives", kBytes, "/a+b?c+d", At::kRoot, "/a+b?c+d"},
    {"EncodedLettersAreNotDecoded", kBytes, "/%41%62c", At::kRoot, "/%41%62c"},
    {"HexCaseIsNotNormalized", kBytes, "/%c3%A9", At::kRoot, "/%c3%A9"},
    {"EncodedNulSurvives", kBytes, "/a%00b", At::kRoot, "/a%00b"},
    {"EncodedLineEndSurvives", kBytes, "/a%0d%0aX:%20y", At::kRoot, "/a%0d%0aX:%20y"},
    {"EncodedPercentSurvives", kBytes, "/100%25", At::kRoot, "/100%25"},
    {"EncodedQuestionMarkSurvives", kBytes, "/a%3Fb?c", At::kRoot, "/a%3Fb?c"},
    {"EncodedHashSurvives", kBytes, "/a%23b", At::kRoot, "/a%23b"},
    {"PercentWithoutHexSurvives", kBytes, "/a%zz", At::kRoot, "/a%zz"},
    {"PercentAtTheEndSurvives", kBytes, "/a%", At::kRoot, "/a%"},
    {"PercentWithOneDigitSurvives", kBytes, "/a%2", At::kRoot, "/a%2"},
    {"EmptyQuerySurvives", kBytes, "/a?", At::kRoot, "/a?"},
    {"TwoQuestionMarksSurvive", kBytes, "/a??b?c", At::kRoot, "/a??b?c"},
    {"QueryWithSlashesSurvives", kBytes, "/a?b//c", At::kRoot, "/a?b//c"},
    {"QueryWithAUrlSurvives", kBytes, "/login?to=http://x/y?z&a", At::kRoot,
     "/login?to=http://x/y?z&a"},
    {"BracketsInTheQuerySurvive", kBytes, "/a?f[]=1&f[b]=2", At::kRoot, "/a?f[]=1&f[b]=2"},
    {"BracesAndPipesInTheQuerySurvive", kBytes, "/a?x={y|z}", At::kRoot, "/a?x={y|z}"},
    {"CaretAndBacktickSurvive", kBytes, "/a^b`c", At::kRoot, "/a^b`c"},
    {"BackslashSurvives", kBytes, "/a\\b", At::kRoot, "/a\\b"},
    {"QuoteInTheQuerySurvives", kBytes, "/a?b='c'", At::kRoot, "/a?b='c'"},
    {"SubDelimitersSurvive", kBytes, "/!$&'()*+,;=:@-._~", At::kRoot, "/!$&'()*+,;=:@-._~"},
    {"VitePathWithAtSurvives", kBytes, "/@fs/home/x/@vite/client", At::kRoot,
     "/@fs/home/x/@vite/client"},
    {"ViteIdPathSurvives", kBytes, "/@id/__x00__plugin-vue:export-helper?v=1a2b", At::kRoot,
     "/@id/__x00__plugin-vue:export-helper?v=1a2b"},
    {"PathParametersSurvive", kBytes, "/a;b=c/d;e", At::kRoot, "/a;b=c/d;e"},
    {"TildeIsNotEncoded", kBytes, "/~user", At::kRoot, "/~user"},
    {"EmptySegmentsSurvive", kBytes, "/a//b///c", At::kRoot, "/a//b///c"},
    {"ColonInTheFirstSegmentSurvives", kBytes, "/http://x", At::kRoot, "/http://x"},
    {"LongPathSurvives", kBytes, "/" + std::string(8000, 'p'), At::kRoot,
     "/" + std::string(8000, 'p')},
};

const std::vector<PathRow> kAbsolute = {
    {"AbsoluteTargetUsesItsPath", "RFC 9112 3.2.2", "http://localhost/x", At::kRoot, "/x"},
    {"AbsoluteTargetIsRouted", "RFC 9112 3.2.2", "http://localhost/api/x?y", At::kApi, "/x?y"},
    {"AbsoluteTargetWithoutPathIsSlash", "RFC 9112 3.2.1", "http://localhost", At::kRoot, "/"},
    {"AbsoluteTargetWithOnlyAQueryIsSlashAndQuery", "RFC 9112 3.2.1", "http://localhost?x",
     At::kRoot, "/?x"},
    {"AbsoluteTargetWithAPortUsesItsPath", "RFC 9112 3.2.2", "http://localhost:8080/x", At::kRoot,
     "/x"},
    {"AbsoluteTargetWithIpv6UsesItsPath", "RFC 9112 3.2.2", "http://[::1]:80/x", At::kRoot, "/x"},
    {"SchemeIsCaseInsensitive", "RFC 3986 3.1", "HTTP://localhost/x", At::kRoot, "/x"},
    {"AbsoluteTargetHasItsDotSegmentsRemoved", kDots, "http://localhost/x/../api/y", At::kApi,
     "/y"},
    {"AbsoluteTargetKeepsDoubleSlashes", kBytes, "http://localhost//api/x", At::kRoot, "//api/x"},
};

WIRE_ROWS(Routing, kRoutes, expect_path);
WIRE_ROWS(DotSegments, kDotSegments, expect_path);
WIRE_ROWS(PathBytes, kPreserved, expect_path);
WIRE_ROWS(AbsoluteForm, kAbsolute, expect_path);

// Bytes that a URI may not hold: as sent, or refused whole.
const std::vector<PathRow> kDebated = {
    {"HighBytesPassAsSentOrAreRefused", "RFC 9112 3.2", "/caf\xc3\xa9", At::kRoot, "/caf\xc3\xa9"},
    {"Latin1BytesPassAsSentOrAreRefused", "RFC 9112 3.2", "/caf\xe9", At::kRoot, "/caf\xe9"},
    {"DoubleQuotePassesAsSentOrIsRefused", "RFC 9112 3.2", "/a\"b", At::kRoot, "/a\"b"},
    {"AngleBracketsPassAsSentOrAreRefused", "RFC 9112 3.2", "/a<b>", At::kRoot, "/a<b>"},
    {"FragmentPassesAsSentOrIsRefused", "RFC 9112 3.2", "/a#b", At::kRoot, "/a#b"},
};

void expect_path_or_refusal(const PathRow& row) {
  Connection client = site().connect();
  client.send(get(row.target));
  std::optional<Connection> backend;
  ASSERT_TRUE(eventually([&] {
    backend = site().root.accept_pending();
    return backend || client.readable();
  }));
  if (!backend) {
    expect_error(client, {400});
    return;
  }
  EXPECT_EQ(receive_head(*backend).start_line, "GET " + row.forward + " HTTP/1.1");
  backend->send(ok("x"));
  EXPECT_EQ(receive_response(client).body, "x");
}

WIRE_ROWS(PathBytes, kDebated, expect_path_or_refusal);

WIRE_TEST(AbsoluteForm, ItsAuthorityBecomesHost, "RFC 9112 3.2.2") {
  Exchange x = exchange("GET http://app.localhost:81/ HTTP/1.1\r\nHost: localhost\r\n\r\n");
  EXPECT_EQ(x.request.one("host"), "app.localhost:81");
  EXPECT_EQ(x.request.one("x-forwarded-host"), "app.localhost:81");
  x.backend.send(ok("x"));
  EXPECT_EQ(receive_response(x.client).body, "x");
}

WIRE_TEST(AbsoluteForm, OptionsWithoutPathIsAsteriskOrSlash, "RFC 9112 3.2.4") {
  Exchange x = exchange("OPTIONS http://localhost HTTP/1.1\r\nHost: localhost\r\n\r\n");
  EXPECT_TRUE(x.request.start_line == "OPTIONS * HTTP/1.1" ||
              x.request.start_line == "OPTIONS / HTTP/1.1")
      << x.request.start_line;
  x.backend.send(ok("x"));
  EXPECT_EQ(receive_response(x.client).body, "x");
}

WIRE_TEST(Routing, NoRouteIs404, "contract: No route: 404") {
  FakeBackend backend;
  OwnGateway own("/api :" + std::to_string(backend.port()) + "\n");
  for (const std::string_view target :
       {"/", "/apix", "/x", "/API", "//api", "/api/../x", "/%61pi", "*"}) {
    Connection client = own.gateway.connect();
    client.send(std::string(target == "*" ? "OPTIONS " : "GET ") + std::string(target) +
                " HTTP/1.1\r\nHost: localhost\r\n\r\n");
    EXPECT_EQ(expect_error(client, {404}).body, "no route\n") << target;
  }
  EXPECT_FALSE(backend.accept_pending());
}

WIRE_TEST(Routing, Ipv6OnlyBackendIsReached, "contract: if 127.0.0.1 refuses, [::1]") {
  Exchange x = exchange(site(), site().ipv6, get("/v6/x"));
  EXPECT_EQ(x.request.start_line, "GET /x HTTP/1.1");
  x.backend.send(ok("six"));
  EXPECT_EQ(receive_response(x.client).body, "six");
}

WIRE_TEST(Routing, ThousandRoutesAreAllFound, "contract: longest matching prefix") {
  FakeBackend backend;
  std::string table;
  for (int i = 0; i < 1000; ++i) {
    table += "/r" + std::to_string(i) + "/deep :" + std::to_string(backend.port()) + "\n";
  }
  OwnGateway own(table);
  Connection client = own.gateway.connect();
  for (const int i : {0, 1, 9, 10, 99, 100, 499, 500, 998, 999}) {
    client.send(get("/r" + std::to_string(i) + "/deep/x" + std::to_string(i)));
    Connection peer = backend.accept();
    EXPECT_EQ(receive_head(peer).start_line, "GET /x" + std::to_string(i) + " HTTP/1.1");
    peer.send(ok("x"));
    EXPECT_EQ(receive_response(client).body, "x");
  }
}

}  // namespace
}  // namespace gondolin::wiretest
