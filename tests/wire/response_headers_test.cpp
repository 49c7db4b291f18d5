// The head of the answer: fields untouched, hop-by-hop fields gone, HEAD, 204 and
// 304, HTTP/1.0 clients, and truncation that stays visible.
#include <regex>

#include "harness/wire_test.hpp"

namespace gondolin::wiretest {
namespace {

// The response the client gets for a backend's `head_lines` and the body "x".
Response answered(std::string_view head_lines, std::string_view request_fields = "") {
  Exchange x = exchange(get("/", request_fields));
  x.backend.send(ok("x", head_lines));
  return receive_response(x.client);
}

struct PassedRow {
  std::string name;
  std::string source;
  std::string lines;
  std::vector<Field> fields;  // as the client must get them, names in lower case
};

const std::string kIntact = "contract: field names, values and duplicates pass intact";

const std::vector<PassedRow> kPassed = {
    {"OrdinaryFieldsPass",
     kIntact,
     "Content-Type: text/html\r\nServer: x/1\r\n",
     {{"content-type", "text/html"}, {"server", "x/1"}}},
    {"SetCookiesStayApartAndInOrder",
     kIntact,
     "Set-Cookie: b=2; Path=/\r\nX: y\r\nSet-Cookie: a=1; Expires=Wed, 09 Jun 2027 10:18:14 "
     "GMT\r\n",
     {{"set-cookie", "b=2; Path=/"},
      {"x", "y"},
      {"set-cookie", "a=1; Expires=Wed, 09 Jun 2027 10:18:14 GMT"}}},
    {"RepeatedFieldsStayRepeated",
     kIntact,
     "Link: <a>\r\nLink: <b>\r\nLink: <a>\r\n",
     {{"link", "<a>"}, {"link", "<b>"}, {"link", "<a>"}}},
    {"Latin1BytesPass", "peers: header bytes transcoded", "X-A: caf\xe9\r\n", {{"x-a", "caf\xe9"}}},
    {"Utf8BytesPass", kIntact, "X-A: \xe2\x82\xac\r\n", {{"x-a", "\xe2\x82\xac"}}},
    {"ProtoFieldPasses",
     "peers: __proto__ vanishes",
     "__proto__: 1\r\nconstructor: 2\r\n",
     {{"__proto__", "1"}, {"constructor", "2"}}},
    {"OddNamesPass", kIntact, "!#$%&'*+-.^_`|~: 1\r\n", {{"!#$%&'*+-.^_`|~", "1"}}},
    {"EmptyValuesPass", kIntact, "X-A:\r\nX-B: \r\n", {{"x-a", ""}, {"x-b", ""}}},
    {"SpaceInsideAValuePasses", kIntact, "X-A: b  c\td\r\n", {{"x-a", "b  c\td"}}},
    {"LocationIsNotRewritten",
     kIntact,
     "Location: http://127.0.0.1:8000/x\r\n",
     {{"location", "http://127.0.0.1:8000/x"}}},
    {"AltSvcAndLinksPass",
     kIntact,
     "Alt-Svc: clear\r\nLink: </a>; rel=preload\r\n",
     {{"alt-svc", "clear"}, {"link", "</a>; rel=preload"}}},
    {"LongValuePasses",
     kIntact,
     "X-A: " + std::string(30'000, 'v') + "\r\n",
     {{"x-a", std::string(30'000, 'v')}}},
    {"ContentEncodingPasses",
     kIntact,
     "Content-Encoding: gzip\r\nVary: *\r\n",
     {{"content-encoding", "gzip"}, {"vary", "*"}}},
};

void expect_passed(const PassedRow& row) {
  EXPECT_TRUE(answered(row.lines).head.passed() == row.fields);
}

struct RemovedRow {
  std::string name;
  std::string source;
  std::string lines;
  std::vector<std::string> names;
};

const std::vector<RemovedRow> kRemoved = {
    {"NamedFieldsAreRemoved",
     "RFC 9110 7.6.1",
     "Connection: close, X-Hop\r\nX-Hop: 1\r\n",
     {"x-hop"}},
    {"ProxyConnectionIsRemoved",
     "RFC 9110 7.6.1",
     "Proxy-Connection: close\r\n",
     {"proxy-connection"}},
    {"UpgradeIsRemoved", "RFC 9110 7.8", "Connection: upgrade\r\nUpgrade: h2c\r\n", {"upgrade"}},
    {"ProxyAuthenticateIsRemoved",
     "RFC 9110 11.7.1",
     "Proxy-Authenticate: Basic\r\n",
     {"proxy-authenticate"}},
};

void expect_removed(const RemovedRow& row) {
  const Response response = answered(row.lines + "X-Stays: 1\r\n");
  for (const std::string& name : row.names)
    EXPECT_FALSE(response.head.has(name)) << name;
  EXPECT_EQ(response.head.one("x-stays"), "1");
}

WIRE_ROWS(ResponseHeaders, kPassed, expect_passed);
WIRE_ROWS(ResponseHeaders, kRemoved, expect_removed);

WIRE_TEST(ResponseHeaders, DateIsAddedWhereTheBackendSentNone, "RFC 9110 6.6.1") {
  const std::string date = answered("X-A: 1\r\n").head.one("date");
  EXPECT_TRUE(std::regex_match(
      date, std::regex("[A-Z][a-z]{2}, [0-9]{2} [A-Z][a-z]{2} [0-9]{4} [0-9:]{8} GMT")))
      << date;
}

WIRE_TEST(ResponseHeaders, DateOfTheBackendStays, "RFC 9110 6.6.1") {
  const std::string date = "Sun, 06 Nov 1994 08:49:37 GMT";
  EXPECT_EQ(answered("Date: " + date + "\r\n").head.one("date"), date);
}

WIRE_TEST(ResponseHeaders, NamesKeepTheirCase, "contract: field names pass intact") {
  const Response response = answered("X-MiXeD-cAsE: 1\r\netag: \"x\"\r\n");
  bool mixed = false;
  bool lower_case = false;
  for (const Field& field : response.head.fields) {
    mixed = mixed || field.name == "X-MiXeD-cAsE";
    lower_case = lower_case || field.name == "etag";
  }
  EXPECT_TRUE(mixed);
  EXPECT_TRUE(lower_case);
}

WIRE_TEST(ResponseHeaders, BackendsConnectionCloseDoesNotCloseTheClients, "RFC 9112 9.6") {
  Exchange x = exchange(get("/"));
  x.backend.send(ok("one", "Connection: close\r\nKeep-Alive: timeout=0\r\n"));
  const Response response = receive_response(x.client);
  EXPECT_FALSE(response.head.lists("connection", "close"));
  x.client.send(get("/closed"));
  EXPECT_EQ(receive_response(x.client).status, 502);
}

WIRE_TEST(ResponseHeaders, ReasonPassesAsSent, "RFC 9112 4") {
  Exchange x = exchange(get("/"));
  x.backend.send("HTTP/1.1 200 All \xc3\xbc quite fine\r\nContent-Length: 0\r\n\r\n");
  EXPECT_EQ(receive_response(x.client).head.start_line, "HTTP/1.1 200 All \xc3\xbc quite fine");
}

WIRE_TEST(ResponseHeaders, StatusLineIsAlwaysHttp11, "RFC 9110 2.5") {
  Exchange x = exchange("GET / HTTP/1.0\r\nHost: localhost\r\n\r\n");
  x.backend.send("HTTP/1.0 200 OK\r\nContent-Length: 1\r\n\r\nx");
  EXPECT_EQ(receive_response(x.client).head.start_line, "HTTP/1.1 200 OK");
}

WIRE_TEST(ResponseHeaders, FoldedFieldIsUnfoldedOr502, "RFC 9112 5.2") {
  Exchange x = exchange(get("/"));
  x.backend.send("HTTP/1.1 200 OK\r\nX-A: b\r\n c\r\nContent-Length: 0\r\n\r\n");
  const Response response = receive_response(x.client);
  if (response.status != 502) EXPECT_EQ(response.head.one("x-a"), "b c");
}

WIRE_TEST(ResponseHeaders, SpaceBeforeAColonIsRemovedOr502, "RFC 9112 5.1") {
  Exchange x = exchange(get("/"));
  x.backend.send("HTTP/1.1 200 OK\r\nX-A : b\r\nContent-Length: 0\r\n\r\n");
  const Response response = receive_response(x.client);
  if (response.status != 502) EXPECT_EQ(response.head.one("x-a"), "b");
}

WIRE_TEST(ResponseHeaders, EqualContentLengthsBecomeOneOr502, "RFC 9110 8.6") {
  Exchange x = exchange(get("/"));
  x.backend.send("HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\nhello");
  const Response response = receive_response(x.client);
  if (response.status != 502) EXPECT_EQ(response.body, "hello");
}

WIRE_TEST(ResponseHeaders, HeadArrivesBeforeTheBody, "contract: streamed at once") {
  Exchange x = exchange(get("/"));
  x.backend.send("HTTP/1.1 200 OK\r\nContent-Length: 5\r\nX-A: 1\r\n\r\n");
  EXPECT_EQ(receive_head(x.client).one("x-a"), "1");
  x.backend.send("hello");
  x.client.expect("hello");
}

WIRE_TEST(ResponseHeaders, HeadOfAStreamArrivesBeforeItsFirstByte, "contract: streamed at once") {
  Exchange x = exchange(get("/"));
  x.backend.send("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n");
  EXPECT_EQ(receive_head(x.client).one("content-type"), "text/event-stream");
  x.client.close();
  x.backend.expect_end();
}

WIRE_TEST(ResponseHeaders, HundredFieldsPass, "contract: 128 fields") {
  std::string lines;
  for (int i = 0; i < 100; ++i)
    lines += "X-" + std::to_string(i) + ": v\r\n";
  EXPECT_EQ(answered(lines).head.passed().size(), 100U);
}

// HEAD, 204 and 304 --------------------------------------------------------------

struct HeadRow {
  std::string name;
  std::string source;
  std::string answer;
  std::string length;  // the Content-Length that must pass, "" for none
};

const std::vector<HeadRow> kHeadRows = {
    {"HeadKeepsContentLength", "peers: HEAD to any static server: empty reply",
     "HTTP/1.1 200 OK\r\nContent-Length: 12345\r\n\r\n", "12345"},
    {"HeadWithoutLengthEnds", "RFC 9110 9.3.2", "HTTP/1.1 200 OK\r\nX-A: 1\r\n\r\n", ""},
    {"HeadWithChunkedEnds", "RFC 9112 6.1", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
     ""},
    {"HeadOfHttp10ServerEnds", "peers: python -m http.server",
     "HTTP/1.0 200 OK\r\nContent-Length: 99\r\n\r\n", "99"},
    {"HeadDropsAStrayBody", "RFC 9112 6.3", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
     "5"},
    {"HeadDropsAStrayChunkedBody", "RFC 9112 6.3",
     "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n", ""},
    {"HeadOfAnErrorEnds", "RFC 9110 9.3.2", "HTTP/1.1 404 Not Found\r\nContent-Length: 4\r\n\r\n",
     "4"},
    {"HeadOfARedirectEnds", "RFC 9110 9.3.2",
     "HTTP/1.1 301 Moved\r\nLocation: /x\r\nContent-Length: 0\r\n\r\n", "0"},
};

void expect_head_answer(const HeadRow& row) {
  Exchange x = exchange(head("/"));
  x.backend.send(row.answer);
  x.backend.close();
  const Response response = receive_response(x.client, AnswerTo::kHead);
  EXPECT_EQ(response.head.has("content-length"), !row.length.empty());
  if (!row.length.empty()) EXPECT_EQ(response.head.one("content-length"), row.length);
  x.client.send(get("/closed"));
  EXPECT_EQ(receive_response(x.client).body, "bad gateway\n") << "nothing may come before it";
}

WIRE_ROWS(HeadAndNoContent, kHeadRows, expect_head_answer);

WIRE_TEST(HeadAndNoContent, NotModifiedKeepsItsContentLength,
          "contract: Content-Length of HEAD/304 included") {
  Exchange x = exchange(get("/"));
  x.backend.send("HTTP/1.1 304 Not Modified\r\nContent-Length: 77\r\nETag: \"e\"\r\n\r\n");
  const Response response = receive_response(x.client);
  EXPECT_EQ(response.head.one("content-length"), "77");
  EXPECT_EQ(response.head.one("etag"), "\"e\"");
  x.client.send(get("/closed"));
  EXPECT_EQ(receive_response(x.client).status, 502);
}

WIRE_TEST(HeadAndNoContent, HeadDoesNotWaitForTheBackendToClose, "RFC 9110 9.3.2") {
  Exchange x = exchange(head("/"));
  x.backend.send("HTTP/1.1 200 OK\r\nContent-Length: 12345\r\n\r\n");
  EXPECT_EQ(receive_response(x.client, AnswerTo::kHead).status, 200);
  x.backend.expect_end();
}

WIRE_TEST(HeadAndNoContent, NoContentDoesNotWaitForTheBackendToClose, "RFC 9112 6.3") {
  for (const std::string_view status : {"204 No Content", "304 Not Modified"}) {
    Exchange x = exchange(get("/"));
    x.backend.send("HTTP/1.1 " + std::string(status) + "\r\n\r\n");
    EXPECT_EQ(receive_response(x.client).body, "");
    x.backend.expect_end();
  }
}

WIRE_TEST(HeadAndNoContent, NoContentNeverCarriesFraming, "RFC 9110 8.6") {
  Exchange x = exchange(get("/"));
  x.backend.send("HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n");
  x.backend.close();
  const Response response = receive_response(x.client);
  if (response.status == 204) EXPECT_FALSE(response.head.has("transfer-encoding"));
  x.client.send(get("/closed"));
  EXPECT_EQ(receive_response(x.client).status, 502);
}

// HTTP/1.0 clients ----------------------------------------------------------------

const std::string kOldGet = "GET / HTTP/1.0\r\nHost: localhost\r\n\r\n";

WIRE_TEST(Http10Client, ChunkedAnswerBecomesIdentity, "RFC 9112 6.1") {
  Exchange x = exchange(kOldGet);
  x.backend.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n");
  const Response response = receive_response(x.client);
  EXPECT_FALSE(response.head.has("transfer-encoding"));
  EXPECT_EQ(response.body, "hello");
}

WIRE_TEST(Http10Client, AnswerToTheEndIsClosedInOrder, "RFC 9112 6.3") {
  Exchange x = exchange(kOldGet);
  x.backend.send("HTTP/1.1 200 OK\r\n\r\nhello");
  x.backend.close();
  const Response response = receive_response(x.client);
  EXPECT_EQ(response.framing, Framing::kToEnd);
  EXPECT_EQ(response.body, "hello");
}

WIRE_TEST(Http10Client, ContentLengthAnswerIsKeptAndTheConnectionCloses, "RFC 9112 9.3") {
  Exchange x = exchange(kOldGet);
  x.backend.send(ok("hello"));
  EXPECT_EQ(receive_response(x.client).body, "hello");
  EXPECT_EQ(x.client.expect_end(), End::kFin);
}

WIRE_TEST(Http10Client, TruncatedChunkedAnswerIsReset, "contract: never look complete") {
  Exchange x = exchange(kOldGet);
  x.backend.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n");
  static_cast<void>(receive_head(x.client));
  x.backend.close();
  EXPECT_EQ(x.client.receive_rest().end, End::kReset);
}

WIRE_TEST(Http10Client, ResetAnswerToTheEndIsReset, "contract: never look complete") {
  Exchange x = exchange(kOldGet);
  x.backend.send("HTTP/1.1 200 OK\r\n\r\nhello");
  static_cast<void>(receive_head(x.client));
  x.client.expect("hello");
  x.backend.reset();
  EXPECT_EQ(x.client.receive_rest().end, End::kReset);
}

WIRE_TEST(Http10Client, TruncatedContentLengthAnswerIsShort, "contract: never look complete") {
  Exchange x = exchange(kOldGet);
  x.backend.send("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhello");
  x.backend.close();
  EXPECT_EQ(receive_any_response(x.client).completeness, Completeness::kTruncated);
}

WIRE_TEST(Http10Client, PostWithLengthIsServed, "RFC 9112 6.3") {
  Exchange x = exchange("POST / HTTP/1.0\r\nHost: localhost\r\nContent-Length: 5\r\n\r\nhello");
  x.backend.expect("hello");
  x.backend.send(ok("x"));
  EXPECT_EQ(receive_response(x.client).body, "x");
}

WIRE_TEST(Http10Client, KeepAliveIsHonouredOrTheConnectionCloses, "RFC 9112 9.3") {
  Exchange x = exchange("GET / HTTP/1.0\r\nHost: localhost\r\nConnection: keep-alive\r\n\r\n");
  x.backend.send(ok("one"));
  const Response response = receive_response(x.client);
  EXPECT_EQ(response.body, "one");
  if (response.head.lists("connection", "keep-alive")) {
    x.client.send("GET /closed HTTP/1.0\r\nHost: localhost\r\n\r\n");
    EXPECT_EQ(receive_response(x.client).status, 502);
  }
  x.client.expect_end();
}

// Truncation toward HTTP/1.1 clients -----------------------------------------------

WIRE_TEST(BrokenResponse, ResetInsideALengthBodyIsAborted, "contract: never look complete") {
  Exchange x = exchange(get("/"));
  x.backend.send("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhello");
  static_cast<void>(receive_head(x.client));
  x.client.expect("hello");
  x.backend.reset();
  EXPECT_EQ(x.client.receive_rest().bytes, "");
}

WIRE_TEST(BrokenResponse, ResetInsideABodyToTheEndIsAborted, "contract: never look complete") {
  Exchange x = exchange(get("/"));
  x.backend.send("HTTP/1.1 200 OK\r\n\r\n");
  const Head arrived = receive_head(x.client);
  x.backend.send("hello");
  std::string so_far;
  while (so_far.find("hello") == std::string::npos)
    so_far += x.client.receive_some();
  x.backend.reset();
  const auto rest = x.client.receive_rest();
  if (arrived.has("transfer-encoding")) {
    EXPECT_EQ(rest.bytes.find("0\r\n\r\n"), std::string::npos);
  } else {
    EXPECT_EQ(rest.end, End::kReset);
  }
}

WIRE_TEST(BrokenResponse, ResetBehindACompleteBodyIsComplete, "contract: read to the end") {
  Exchange x = exchange(get("/"));
  x.backend.send(ok("hello"));
  EXPECT_EQ(receive_response(x.client).body, "hello");
  x.backend.reset();
  x.client.send(get("/closed"));
  EXPECT_EQ(receive_response(x.client).status, 502);
}

WIRE_TEST(BrokenResponse, NothingOfTheNextAnswerFollowsABrokenOne, "RFC 9112 8") {
  Exchange x = exchange(get("/") + get("/next"));
  x.backend.send("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhello");
  x.backend.close();
  EXPECT_EQ(receive_any_response(x.client).completeness, Completeness::kTruncated);
  EXPECT_FALSE(site().root.accept_pending());
}

}  // namespace
}  // namespace gondolin::wiretest
