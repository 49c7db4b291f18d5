// The fields the backend gets: what the gateway removes, what it sets, and that
// everything else passes as sent.
#include "harness/wire_test.hpp"

namespace gondolin::wiretest {
namespace {

void finish(Exchange& x) {
  x.backend.send(ok("x"));
  EXPECT_EQ(receive_response(x.client).body, "x");
}

const std::string kRemoved = "contract: removed from the request";
const std::string kSet = "contract: set on the request";

// Field lines the client sends, and the field names that must not arrive.
struct RemovedRow {
  std::string name;
  std::string source;
  std::string lines;
  std::vector<std::string> names;
};

const std::vector<RemovedRow> kRemovedRows = {
    {"KeepAliveIsRemoved", kRemoved, "Keep-Alive: timeout=5\r\n", {"keep-alive"}},
    {"ProxyConnectionIsRemoved",
     kRemoved,
     "Proxy-Connection: keep-alive\r\n",
     {"proxy-connection"}},
    {"ProxyAuthenticateIsRemoved",
     kRemoved,
     "Proxy-Authenticate: Basic\r\n",
     {"proxy-authenticate"}},
    {"ProxyAuthorizationIsRemoved",
     kRemoved,
     "Proxy-Authorization: Basic eA==\r\n",
     {"proxy-authorization"}},
    {"ProxyIsRemoved", "contract: Proxy (httpoxy)", "Proxy: http://evil:1\r\n", {"proxy"}},
    {"ProxyInCapitalsIsRemoved",
     "contract: Proxy (httpoxy)",
     "PROXY: http://evil:1\r\n",
     {"proxy"}},
    {"TeIsRemoved", kRemoved, "TE: trailers\r\n", {"te"}},
    {"TrailerIsRemoved", kRemoved, "Trailer: X-Sum\r\n", {"trailer"}},
    {"UpgradeIsRemoved", kRemoved, "Connection: upgrade\r\nUpgrade: foo/2\r\n", {"upgrade"}},
    {"UpgradeWithoutConnectionIsRemoved", kRemoved, "Upgrade: foo/2\r\n", {"upgrade"}},
    {"NamedFieldIsRemoved", "RFC 9110 7.6.1", "Connection: X-Hop\r\nX-Hop: 1\r\n", {"x-hop"}},
    {"NamedFieldIsRemovedInAnyCase",
     "RFC 9110 7.6.1",
     "Connection: x-HOP\r\nX-hop: 1\r\n",
     {"x-hop"}},
    {"NamedFieldBeforeConnectionIsRemoved",
     "RFC 9110 7.6.1",
     "X-Hop: 1\r\nConnection: X-Hop\r\n",
     {"x-hop"}},
    {"EveryNamedFieldIsRemoved",
     "RFC 9110 7.6.1",
     "Connection: X-A , X-B,,\tX-C\r\nX-A: 1\r\nX-B: 2\r\nX-C: 3\r\n",
     {"x-a", "x-b", "x-c"}},
    {"FieldsNamedInSeveralConnectionFieldsAreRemoved",
     "RFC 9110 7.6.1",
     "Connection: X-A\r\nX-A: 1\r\nConnection: close, X-B\r\nX-B: 2\r\n",
     {"x-a", "x-b"}},
    {"EveryInstanceOfANamedFieldIsRemoved",
     "RFC 9110 7.6.1",
     "X-A: 1\r\nConnection: X-A\r\nX-A: 2\r\nX-A: 3\r\n",
     {"x-a"}},
    {"Http2SettingsOfAnUpgradeOfferIsRemoved",
     "peers: curl --http2 refused",
     "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n",
     {"upgrade", "http2-settings"}},
};

void expect_removed(const RemovedRow& row) {
  Exchange x = exchange(get("/", row.lines + "X-Stays: 1\r\n"));
  for (const std::string& name : row.names)
    EXPECT_FALSE(x.request.has(name)) << name;
  EXPECT_EQ(x.request.one("connection"), "close");
  EXPECT_EQ(x.request.one("x-stays"), "1");
  finish(x);
}

// Field lines that must arrive with their values, in their order.
struct PassedRow {
  std::string name;
  std::string source;
  std::string lines;
  std::vector<Field> fields;
};

const std::string kIntact = "contract: all other fields pass intact";

const std::vector<PassedRow> kPassedRows = {
    {"OrdinaryFieldPasses", kIntact, "Accept: text/html\r\n", {{"accept", "text/html"}}},
    {"CookiePasses", kIntact, "Cookie: a=b; c=\"d e\"\r\n", {{"cookie", "a=b; c=\"d e\""}}},
    {"SeveralCookiesPassInOrder",
     kIntact,
     "Cookie: b=2\r\nCookie: a=1\r\n",
     {{"cookie", "b=2"}, {"cookie", "a=1"}}},
    {"AuthorizationPasses",
     kIntact,
     "Authorization: Bearer x.y.z==\r\n",
     {{"authorization", "Bearer x.y.z=="}}},
    {"RepeatedFieldsKeepOrderAndNumber",
     kIntact,
     "X-A: 1\r\nX-B: 2\r\nX-A: 3\r\nX-A: 1\r\n",
     {{"x-a", "1"}, {"x-b", "2"}, {"x-a", "3"}, {"x-a", "1"}}},
    {"EmptyValuePasses", kIntact, "X-A:\r\nX-B:   \r\n", {{"x-a", ""}, {"x-b", ""}}},
    {"SpaceAroundAValueIsNoPartOfIt", "RFC 9112 5.1", "X-A: \t b c \t \r\n", {{"x-a", "b c"}}},
    {"SpaceInsideAValuePasses", kIntact, "X-A: b  c\t\td\r\n", {{"x-a", "b  c\t\td"}}},
    {"ColonsInAValuePass", kIntact, "X-A: a:b::c\r\n", {{"x-a", "a:b::c"}}},
    {"ValueThatStartsWithAColonPasses", kIntact, "X-A::b\r\n", {{"x-a", ":b"}}},
    {"Utf8BytesPass",
     kIntact,
     "X-A: caf\xc3\xa9 \xf0\x9f\x9a\xa3\r\n",
     {{"x-a", "caf\xc3\xa9 \xf0\x9f\x9a\xa3"}}},
    {"Latin1BytesPass", "peers: header bytes transcoded", "X-A: caf\xe9\r\n", {{"x-a", "caf\xe9"}}},
    {"EveryHighBytePasses", "peers: header bytes transcoded",
     [] {
       std::string line = "X-A: ";
       for (int byte = 0x80; byte < 0x100; ++byte)
         line += static_cast<char>(byte);
       return line + "\r\n";
     }(),
     [] {
       std::string value;
       for (int byte = 0x80; byte < 0x100; ++byte)
         value += static_cast<char>(byte);
       return std::vector<Field>{{"x-a", value}};
     }()},
    {"NameOfAllMarksPasses",
     "RFC 9110 5.6.2",
     "!#$%&'*+-.^_`|~9z: 1\r\n",
     {{"!#$%&'*+-.^_`|~9z", "1"}}},
    {"NameWithUnderscoresPasses",
     kIntact,
     "X_Forwarded_For: 6.6.6.6\r\nContent_Length: 99\r\n",
     {{"x_forwarded_for", "6.6.6.6"}, {"content_length", "99"}}},
    {"NamesOfJavaScriptPropertiesPass",
     "peers: __proto__ vanishes",
     "__proto__: 1\r\nconstructor: 2\r\ntoString: 3\r\nhasOwnProperty: 4\r\n",
     {{"__proto__", "1"}, {"constructor", "2"}, {"tostring", "3"}, {"hasownproperty", "4"}}},
    {"NumericNamesKeepTheirPlace", kIntact, "2: b\r\n1: a\r\n", {{"2", "b"}, {"1", "a"}}},
    {"ForwardedPasses",
     kIntact,
     "Forwarded: for=192.0.2.43\r\n",
     {{"forwarded", "for=192.0.2.43"}}},
    {"ConditionalAndRangeFieldsPass",
     kIntact,
     "If-None-Match: \"x\", W/\"y\"\r\nRange: bytes=0-1\r\nIf-Range: \"x\"\r\n",
     {{"if-none-match", "\"x\", W/\"y\""}, {"range", "bytes=0-1"}, {"if-range", "\"x\""}}},
    {"FetchMetadataAndOriginPass",
     kIntact,
     "Origin: http://localhost\r\nSec-Fetch-Mode: cors\r\nReferer: http://localhost/x\r\n",
     {{"origin", "http://localhost"},
      {"sec-fetch-mode", "cors"},
      {"referer", "http://localhost/x"}}},
    {"AcceptEncodingPasses",
     kIntact,
     "Accept-Encoding: gzip, br;q=0.5\r\n",
     {{"accept-encoding", "gzip, br;q=0.5"}}},
    {"ContentFieldsPass",
     kIntact,
     "Content-Type: text/x; a=b\r\nContent-Encoding: gzip\r\n",
     {{"content-type", "text/x; a=b"}, {"content-encoding", "gzip"}}},
    {"LongValuePasses",
     kIntact,
     "X-A: " + std::string(30'000, 'v') + "\r\n",
     {{"x-a", std::string(30'000, 'v')}}},
    {"LongNamePasses",
     kIntact,
     std::string(1000, 'n') + ": v\r\n",
     {{std::string(1000, 'n'), "v"}}},
};

void expect_passed(const PassedRow& row) {
  Exchange x = exchange(get("/", row.lines));
  std::vector<Field> arrived = x.request.passed();
  std::erase_if(arrived, [](const Field& field) { return field.name == "host"; });
  EXPECT_EQ(arrived.size(), row.fields.size());
  EXPECT_TRUE(arrived == row.fields);
  finish(x);
}

WIRE_ROWS(RequestHeaders, kRemovedRows, expect_removed);
WIRE_ROWS(RequestHeaders, kPassedRows, expect_passed);

WIRE_TEST(RequestHeaders, ConnectionCloseIsSetOnce, "contract: Connection: close") {
  for (const std::string_view line :
       {"", "Connection: keep-alive\r\n", "Connection: close\r\n", "Connection: close, close\r\n",
        "Connection:\r\n", "Connection: keep-alive\r\nConnection: x\r\n"}) {
    Exchange x = exchange(get("/", line));
    EXPECT_EQ(x.request.one("connection"), "close") << line;
    finish(x);
  }
}

WIRE_TEST(RequestHeaders, ConnectionThatNamesFramingFieldsCannotUnframeTheBody, "RFC 9110 7.6.1") {
  Exchange x = exchange(post("/", "hello", "Connection: Content-Length\r\n") + get("/next"));
  EXPECT_EQ(x.request.one("content-length"), "5");
  x.backend.expect("hello");
  finish(x);
  Connection next = site().root.accept();
  EXPECT_EQ(receive_head(next).start_line, "GET /next HTTP/1.1");
  next.send(ok("two"));
  EXPECT_EQ(receive_response(x.client).body, "two");
}

WIRE_TEST(RequestHeaders, ConnectionThatNamesTransferEncodingCannotUnframeTheBody,
          "RFC 9110 7.6.1") {
  Exchange x = exchange(
      "POST / HTTP/1.1\r\nHost: localhost\r\nConnection: Transfer-Encoding\r\n"
      "Transfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n");
  EXPECT_EQ(x.request.one("transfer-encoding"), "chunked");
  EXPECT_EQ(receive_chunked(x.backend), "a");
  finish(x);
}

WIRE_TEST(RequestHeaders, ConnectionThatNamesHostCannotRemoveIt, "RFC 9112 3.2") {
  Exchange x = exchange(get("/", "Connection: Host\r\n"));
  EXPECT_EQ(x.request.one("host"), "localhost");
  finish(x);
}

WIRE_TEST(RequestHeaders, ConnectionCannotRemoveWhatTheGatewaySets, "RFC 9110 7.6.1") {
  Exchange x = exchange(get("/",
                            "Connection: X-Forwarded-For, X-Forwarded-Host, Via, "
                            "X-Forwarded-Proto\r\nX-Forwarded-For: 6.6.6.6\r\n"));
  EXPECT_TRUE(x.request.one("x-forwarded-for").ends_with("127.0.0.1"));
  EXPECT_EQ(x.request.one("x-forwarded-host"), "localhost");
  EXPECT_EQ(x.request.one("x-forwarded-proto"), "http");
  EXPECT_TRUE(x.request.one("via").ends_with("1.1 gondolin"));
  finish(x);
}

WIRE_TEST(RequestHeaders, HostPassesAsSent, "contract: Host is passed as the client sent it") {
  Exchange x = exchange("GET / HTTP/1.1\r\nHost: LocalHost:5173\r\n\r\n");
  EXPECT_EQ(x.request.one("host"), "LocalHost:5173");
  finish(x);
}

WIRE_TEST(RequestHeaders, ForwardedForNamesTheClient, "contract: X-Forwarded-For (appended)") {
  Exchange x = exchange(get("/"));
  EXPECT_EQ(x.request.one("x-forwarded-for"), "127.0.0.1");
  finish(x);
}

WIRE_TEST(RequestHeaders, ForwardedForIsAppendedToTheClients,
          "contract: X-Forwarded-For (appended)") {
  Exchange x = exchange(get("/", "X-Forwarded-For: 192.0.2.1\r\n"));
  EXPECT_EQ(x.request.one("x-forwarded-for"), "192.0.2.1, 127.0.0.1");
  finish(x);
}

WIRE_TEST(RequestHeaders, SeveralForwardedForsKeepTheirOrder,
          "contract: X-Forwarded-For (appended)") {
  Exchange x =
      exchange(get("/", "X-Forwarded-For: 192.0.2.1\r\nx-forwarded-for: 192.0.2.2, 192.0.2.3\r\n"));
  std::string joined;
  for (const std::string& value : x.request.all("x-forwarded-for")) {
    joined += (joined.empty() ? "" : ", ") + value;
  }
  EXPECT_EQ(joined, "192.0.2.1, 192.0.2.2, 192.0.2.3, 127.0.0.1");
  finish(x);
}

WIRE_TEST(RequestHeaders, ForwardedHostIsTheAuthorityWithItsPort,
          "contract: X-Forwarded-Host (the client's authority, port included)") {
  Exchange x = exchange("GET / HTTP/1.1\r\nHost: localhost:58650\r\n\r\n");
  EXPECT_EQ(x.request.one("x-forwarded-host"), "localhost:58650");
  finish(x);
}

WIRE_TEST(RequestHeaders, ForwardedHostOfTheClientIsReplaced, "contract: set on the request") {
  Exchange x = exchange(get("/", "X-Forwarded-Host: evil.example\r\nx-forwarded-host: more\r\n"));
  EXPECT_EQ(x.request.one("x-forwarded-host"), "localhost");
  finish(x);
}

WIRE_TEST(RequestHeaders, ForwardedProtoIsHttp, "contract: X-Forwarded-Proto: http") {
  Exchange x = exchange(get("/", "X-Forwarded-Proto: https\r\nX-Forwarded-Proto: ftp\r\n"));
  EXPECT_EQ(x.request.one("x-forwarded-proto"), "http");
  finish(x);
}

WIRE_TEST(RequestHeaders, ForwardedPrefixNamesTheStrippedPrefix,
          "contract: X-Forwarded-Prefix when a prefix was stripped") {
  Exchange x = exchange(site(), site().v2, get("/api/v2/x", "X-Forwarded-Prefix: /evil\r\n"));
  EXPECT_EQ(x.request.one("x-forwarded-prefix"), "/api/v2");
  finish(x);
}

WIRE_TEST(RequestHeaders, ForwardedPrefixIsRemovedOnTheRootRoute,
          "contract: X-Forwarded-Prefix (else removed)") {
  Exchange x = exchange(get("/x", "X-Forwarded-Prefix: /evil\r\n"));
  EXPECT_FALSE(x.request.has("x-forwarded-prefix"));
  finish(x);
}

WIRE_TEST(RequestHeaders, ForwardedPrefixIsRemovedOnAnUnstrippedRoute,
          "contract: X-Forwarded-Prefix (else removed)") {
  Exchange x = exchange(site(), site().kept, get("/kept/x", "x-forwarded-prefix: /evil\r\n"));
  EXPECT_FALSE(x.request.has("x-forwarded-prefix"));
  finish(x);
}

WIRE_TEST(RequestHeaders, MaxForwardsOfOptionsAndTraceIsCountedDown, "RFC 9110 7.6.2") {
  for (const std::string method : {"OPTIONS", "TRACE"}) {
    Exchange x = exchange(method + " /x HTTP/1.1\r\nHost: localhost\r\nMax-Forwards: 5\r\n\r\n");
    EXPECT_EQ(x.request.one("max-forwards"), "4") << method;
  }
  Exchange x = exchange(get("/x", "Max-Forwards: 5\r\n"));
  EXPECT_EQ(x.request.one("max-forwards"), "5") << "other methods ignore it";
}

WIRE_TEST(RequestHeaders, MaxForwardsOfZeroIsAnsweredHere, "RFC 9110 7.6.2") {
  for (const auto& [method, status] : {std::pair("OPTIONS", 200), {"TRACE", 405}}) {
    Connection client = site().connect();
    client.send(std::string(method) + " /x HTTP/1.1\r\nHost: localhost\r\nMax-Forwards: 0\r\n\r\n");
    const Response response = receive_response(client);
    EXPECT_EQ(response.status, status) << method;
    EXPECT_TRUE(response.head.lists("allow", "GET")) << method;
    expect_only_marker_reaches_backends(site());
  }
}

WIRE_TEST(RequestHeaders, ViaNamesTheGateway, "RFC 9110 7.6.3") {
  Exchange x = exchange(get("/"));
  EXPECT_EQ(x.request.one("via"), "1.1 gondolin");
  finish(x);
}

WIRE_TEST(RequestHeaders, ViaIsAppendedToEarlierHops, "RFC 9110 7.6.3") {
  Exchange x = exchange(get("/", "Via: 1.0 fred, 1.1 p.example\r\n"));
  std::string joined;
  for (const std::string& value : x.request.all("via")) {
    joined += (joined.empty() ? "" : ", ") + value;
  }
  EXPECT_EQ(joined, "1.0 fred, 1.1 p.example, 1.1 gondolin");
  finish(x);
}

WIRE_TEST(RequestHeaders, ClientOnIpv6IsNamedInForwardedFor, "contract: X-Forwarded-For") {
  GatewayOptions options;
  options.listen = "[::1]:0";
  FakeBackend backend;
  OwnGateway own("/ :" + std::to_string(backend.port()) + "\n", options);
  Connection client = own.gateway.connect();
  client.send(get("/"));
  Connection peer = backend.accept();
  EXPECT_EQ(receive_head(peer).one("x-forwarded-for"), "::1");
  peer.send(ok("x"));
  EXPECT_EQ(receive_response(client).body, "x");
}

WIRE_TEST(RequestHeaders, HeadSentByteByByteArrivesWhole, "RFC 9112 3") {
  Connection client = site().connect();
  const std::string request = get("/slow", "X-A: 1\r\nX-B: caf\xe9\r\n");
  EXPECT_EQ(client.drip(request), request.size());
  Connection backend = site().root.accept();
  const Head arrived = receive_head(backend);
  EXPECT_EQ(arrived.start_line, "GET /slow HTTP/1.1");
  EXPECT_EQ(arrived.one("x-a"), "1");
  EXPECT_EQ(arrived.one("x-b"), "caf\xe9");
  backend.send(ok("x"));
  EXPECT_EQ(receive_response(client).body, "x");
}

WIRE_TEST(RequestHeaders, H2cOfferIsServedAsHttp11, "peers: curl --http2 refused") {
  Exchange x = exchange(get("/",
                            "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n"
                            "HTTP2-Settings: AAMAAABkAAQCAAAAAAIAAAAA\r\n"));
  EXPECT_EQ(x.request.one("connection"), "close");
  EXPECT_FALSE(x.request.has("upgrade"));
  finish(x);
}

WIRE_TEST(RequestHeaders, H2cOfferWithABodyIsServedAsHttp11, "peers: curl --http2 refused") {
  Exchange x = exchange(post("/", "hello",
                             "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n"
                             "HTTP2-Settings: AAMAAABk\r\n"));
  EXPECT_FALSE(x.request.has("upgrade"));
  x.backend.expect("hello");
  finish(x);
}

WIRE_TEST(RequestHeaders, HeadRequestArrivesAsHead, "RFC 9110 9.3.2") {
  Exchange x = exchange(head("/x"));
  EXPECT_EQ(x.request.start_line, "HEAD /x HTTP/1.1");
  x.backend.send("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n");
  EXPECT_EQ(receive_response(x.client, AnswerTo::kHead).head.one("content-length"), "9");
}

}  // namespace
}  // namespace gondolin::wiretest
