// The request line and the field lines: what is malformed is refused whole, what
// is merely unusual passes.
#include "harness/rejected.hpp"
#include "harness/wire_test.hpp"

namespace gondolin::wiretest {
namespace {

// A request whose first line is `line`.
std::string first(std::string_view line) {
  return std::string(line) + "\r\nHost: localhost\r\n\r\n";
}

// A GET with `lines` between Host and the end of the head.
std::string fields(std::string_view lines) {
  return get("/", lines);
}

const std::vector<RejectedRow> kBadRequestLines = {
    {"TwoSpacesAfterTheMethodAre400", "RFC 9112 3", first("GET  / HTTP/1.1")},
    {"TwoSpacesBeforeTheVersionAre400", "RFC 9112 3", first("GET /  HTTP/1.1")},
    {"TabAfterTheMethodIs400", "RFC 9112 3", first("GET\t/ HTTP/1.1")},
    {"TabBeforeTheVersionIs400", "RFC 9112 3", first("GET /\tHTTP/1.1")},
    {"SpaceBeforeTheMethodIs400", "RFC 9112 3", first(" GET / HTTP/1.1")},
    {"TabBeforeTheMethodIs400", "RFC 9112 3", first("\tGET / HTTP/1.1")},
    {"SpaceAfterTheVersionIs400", "RFC 9112 3", first("GET / HTTP/1.1 ")},
    {"TabAfterTheVersionIs400", "RFC 9112 3", first("GET / HTTP/1.1\t")},
    {"WordAfterTheVersionIs400", "RFC 9112 3", first("GET / HTTP/1.1 x")},
    {"SpaceInTheTargetIs400", "RFC 9112 3.2", first("GET /a b HTTP/1.1")},
    {"EncodedLookingRequestInTheTargetIs400", "RFC 9112 3.2", first("GET /a HTTP/1.1 /b HTTP/1.1")},
    {"RequestLineWithoutVersionIs400", "RFC 9112 3", first("GET /")},
    {"RequestLineWithoutTargetIs400", "RFC 9112 3", first("GET HTTP/1.1")},
    {"RequestLineWithEmptyTargetIs400", "RFC 9112 3", first("GET  HTTP/1.1")},
    {"RequestLineOfOnlyAMethodIs400", "RFC 9112 3", first("GET")},
    {"RequestLineWithEmptyMethodIs400", "RFC 9112 3", first(" / HTTP/1.1")},
    {"Http09RequestIs400", "RFC 9112 3", "GET /\r\n", {400, 505}},
    {"StatusLineAsARequestIs400", "RFC 9112 3", first("HTTP/1.1 200 OK")},
    {"LowerCaseHttpIs400", "RFC 9112 2.3", first("GET / http/1.1")},
    {"MixedCaseHttpIs400", "RFC 9112 2.3", first("GET / Http/1.1")},
    {"OtherProtocolNameIs400", "RFC 9112 2.3", first("GET / HTTPS/1.1")},
    {"ProtocolNameWithoutSlashIs400", "RFC 9112 2.3", first("GET / HTTP1.1")},
    {"ProtocolNameWithDashIs400", "RFC 9112 2.3", first("GET / HTTP-1.1")},
    {"VersionWithoutMinorIs400", "RFC 9112 2.3", first("GET / HTTP/1"), {400, 505}},
    {"VersionWithEmptyMinorIs400", "RFC 9112 2.3", first("GET / HTTP/1.")},
    {"VersionWithEmptyMajorIs400", "RFC 9112 2.3", first("GET / HTTP/.1")},
    {"VersionWithTwoMinorDigitsIs400", "RFC 9112 2.3", first("GET / HTTP/1.10")},
    {"VersionWithLeadingZeroIs400", "RFC 9112 2.3", first("GET / HTTP/01.1")},
    {"VersionWithCommaIs400", "RFC 9112 2.3", first("GET / HTTP/1,1")},
    {"VersionWithTailIs400", "RFC 9112 2.3", first("GET / HTTP/1.1x")},
    {"VersionWithSignIs400", "RFC 9112 2.3", first("GET / HTTP/+1.1")},
    {"VersionInLettersIs400", "RFC 9112 2.3", first("GET / HTTP/a.b")},
    {"VersionWithSpaceIs400", "RFC 9112 2.3", first("GET / HTTP/ 1.1")},
    {"Version20IsRefused", "RFC 9110 15.6.6", first("GET / HTTP/2.0"), {400, 505}},
    {"Version30IsRefused", "RFC 9110 15.6.6", first("GET / HTTP/3.0"), {400, 505}},
    {"Version09IsRefused", "RFC 9112 2.3", first("GET / HTTP/0.9"), {400, 505}},
    {"Http2PrefaceIsRefused", "RFC 9113 3.4", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", {400, 505}},
    {"TlsClientHelloIs400", "RFC 9112 3", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n"s},
    {"AtSignInTheMethodIs400", "RFC 9110 9.1", first("G@T / HTTP/1.1")},
    {"BracketInTheMethodIs400", "RFC 9110 9.1", first("G[T / HTTP/1.1")},
    {"ColonInTheMethodIs400", "RFC 9110 9.1", first("GET: / HTTP/1.1")},
    {"QuoteInTheMethodIs400", "RFC 9110 9.1", first("\"GET\" / HTTP/1.1")},
    {"CommaInTheMethodIs400", "RFC 9110 9.1", first("GET,POST / HTTP/1.1")},
    {"NulInTheMethodIs400", "RFC 9110 9.1", first("GE\0T / HTTP/1.1"s)},
    {"HighByteInTheMethodIs400", "RFC 9110 9.1", first("GET\xc3\xa9 / HTTP/1.1")},
    {"ControlByteInTheMethodIs400", "RFC 9110 9.1", first("\x01GET / HTTP/1.1")},
    {"NulInTheTargetIs400", "RFC 9112 3.2", first("GET /a\0b HTTP/1.1"s)},
    {"ControlByteInTheTargetIs400", "RFC 9112 3.2",
     first("GET /a\x01"
           "b HTTP/1.1")},
    {"VerticalTabInTheTargetIs400", "RFC 9112 3.2", first("GET /a\vb HTTP/1.1")},
    {"DeleteByteInTheTargetIs400", "RFC 9112 3.2", first("GET /a\x7f HTTP/1.1")},
    {"BareCarriageReturnInTheTargetIs400", "RFC 9112 2.2", first("GET /a\rb HTTP/1.1")},
    {"BareCarriageReturnAfterTheVersionIs400", "RFC 9112 2.2", first("GET / HTTP/1.1\r")},
    {"BareCarriageReturnAsSeparatorIs400", "RFC 9112 3", first("GET\r/ HTTP/1.1")},
    {"BareLineFeedAfterTheRequestLineIs400", "RFC 9112 2.2",
     "GET / HTTP/1.1\nHost: localhost\r\n\r\n"},
};

const std::vector<RejectedRow> kBadTargets = {
    {"TargetWithoutSlashIs400", "RFC 9112 3.2", first("GET index.html HTTP/1.1")},
    {"TargetThatIsOnlyAQueryIs400", "RFC 9112 3.2", first("GET ?a=b HTTP/1.1")},
    {"TargetThatIsOnlyAFragmentIs400", "RFC 9112 3.2", first("GET #a HTTP/1.1")},
    {"AsteriskWithGetIs400", "RFC 9112 3.2.4", first("GET * HTTP/1.1")},
    {"AsteriskWithPostIs400", "RFC 9112 3.2.4", first("POST * HTTP/1.1")},
    {"AsteriskWithATailIs400", "RFC 9112 3.2.4", first("OPTIONS *x HTTP/1.1")},
    {"AuthorityFormWithGetIs400", "RFC 9112 3.2.3", first("GET localhost:80 HTTP/1.1")},
    {"BackslashTargetIs400", "RFC 9112 3.2", first("GET \\a HTTP/1.1")},
    {"AbsoluteFormWithoutHostIs400", "RFC 9112 3.2.2", first("GET http:///x HTTP/1.1")},
    {"AbsoluteFormOfOnlyTheSchemeIs400", "RFC 9112 3.2.2", first("GET http:// HTTP/1.1")},
    {"AbsoluteFormWithOneSlashIs400", "RFC 9112 3.2.2", first("GET http:/localhost/ HTTP/1.1")},
    {"AbsoluteFormWithUserinfoIsRefused", "RFC 9110 4.2.4",
     first("GET http://user:secret@localhost/ HTTP/1.1")},
    {"AbsoluteFormWithMalformedPortIs400", "RFC 9110 4.2.1",
     first("GET http://localhost:80x/ HTTP/1.1")},
    {"AbsoluteFormWithOpenBracketIs400", "RFC 3986 3.2.2", first("GET http://[::1/ HTTP/1.1")},
    {"AbsoluteFormOfAnotherSchemeIs400", "RFC 9112 3.2.2", first("GET ftp://localhost/ HTTP/1.1")},
    {"AbsoluteFormOfAFileIs400", "RFC 9112 3.2.2", first("GET file:///etc/passwd HTTP/1.1")},
};

const std::vector<RejectedRow> kBadFields = {
    {"FieldWithoutColonIs400", "RFC 9112 5", fields("Nonsense\r\n")},
    {"FieldOfOnlyAColonIs400", "RFC 9112 5", fields(":\r\n")},
    {"FieldWithEmptyNameIs400", "RFC 9112 5", fields(": value\r\n")},
    {"SpaceBeforeTheColonIs400", "RFC 9112 5.1", fields("X-A : b\r\n")},
    {"TabBeforeTheColonIs400", "RFC 9112 5.1", fields("X-A\t: b\r\n")},
    {"SpaceInANameIs400", "RFC 9110 5.1", fields("X A: b\r\n")},
    {"ParenthesisInANameIs400", "RFC 9110 5.1", fields("X(A: b\r\n")},
    {"QuoteInANameIs400", "RFC 9110 5.1", fields("\"X\": b\r\n")},
    {"SlashInANameIs400", "RFC 9110 5.1", fields("X/A: b\r\n")},
    {"AtSignInANameIs400", "RFC 9110 5.1", fields("X@A: b\r\n")},
    {"BracketInANameIs400", "RFC 9110 5.1", fields("X[0]: b\r\n")},
    {"BraceInANameIs400", "RFC 9110 5.1", fields("{X}: b\r\n")},
    {"CommaInANameIs400", "RFC 9110 5.1", fields("X,A: b\r\n")},
    {"SemicolonInANameIs400", "RFC 9110 5.1", fields("X;A: b\r\n")},
    {"EqualsInANameIs400", "RFC 9110 5.1", fields("X=A: b\r\n")},
    {"BackslashInANameIs400", "RFC 9110 5.1", fields("X\\A: b\r\n")},
    {"HighByteInANameIs400", "RFC 9110 5.1", fields("X\xc3\xa9: b\r\n")},
    {"NulInANameIs400", "RFC 9110 5.1", fields("X\0A: b\r\n"s)},
    {"ControlByteInANameIs400", "RFC 9110 5.1",
     fields("X\x01"
            "A: b\r\n")},
    {"DeleteByteInANameIs400", "RFC 9110 5.1", fields("X\x7f: b\r\n")},
    {"NulInAValueIs400", "RFC 9110 5.5", fields("X-A: b\0c\r\n"s)},
    {"NulAtTheEndOfAValueIs400", "RFC 9110 5.5", fields("X-A: b\0\r\n"s)},
    {"BareCarriageReturnInAValueIs400", "RFC 9112 2.2", fields("X-A: b\rc\r\n")},
    {"BareCarriageReturnAtTheEndOfAValueIs400", "RFC 9112 2.2", fields("X-A: b\r\r\n")},
    {"BareCarriageReturnThatHidesAFieldIs400", "RFC 9112 2.2",
     fields("X-A: b\rContent-Length: 5\r\n")},
    {"BareLineFeedAfterAFieldIs400", "RFC 9112 2.2", fields("X-A: b\nX-B: c\r\n")},
    {"BareLineFeedThatHidesAFieldIs400", "RFC 9112 2.2",
     fields("X-A: b\nTransfer-Encoding: chunked\r\n")},
    {"BareLineFeedAsTheEmptyLineIs400", "RFC 9112 2.2",
     "GET / HTTP/1.1\r\nHost: localhost\r\n\nGET /x HTTP/1.1\r\nHost: localhost\r\n\r\n"},
    {"CarriageReturnTwiceAsTheEmptyLineIs400", "RFC 9112 2.2",
     "GET / HTTP/1.1\r\nHost: localhost\r\n\r\r\n\r\n"},
    {"FoldedFieldIs400", "RFC 9112 5.2", fields("X-A: b\r\n c\r\n")},
    {"FoldedFieldWithATabIs400", "RFC 9112 5.2", fields("X-A: b\r\n\tc\r\n")},
    {"FoldOfOnlySpacesIs400", "RFC 9112 5.2", fields("X-A: b\r\n  \r\n")},
    {"FoldThatHidesAFieldIs400", "RFC 9112 5.2", fields("X-A: b\r\n Content-Length: 5\r\n")},
    {"SpaceBeforeTheFirstFieldIs400", "RFC 9112 2.2",
     "GET / HTTP/1.1\r\n Host: localhost\r\nHost: localhost\r\n\r\n"},
    {"TabBeforeTheFirstFieldIs400", "RFC 9112 2.2",
     "GET / HTTP/1.1\r\n\tX-A: b\r\nHost: localhost\r\n\r\n"},
    {"FoldedHostIs400", "RFC 9112 5.2", "GET / HTTP/1.1\r\nHost:\r\n localhost\r\n\r\n"},
};

WIRE_ROWS(RequestLine, kBadRequestLines, expect_rejected);
WIRE_ROWS(RequestLine, kBadTargets, expect_rejected);
WIRE_ROWS(RequestFields, kBadFields, expect_rejected);

// A request that must be served, and the request line the backend must see.
struct ServedRow {
  std::string name;
  std::string source;
  std::string request;
  std::string line;
};

void expect_served(const ServedRow& row) {
  Exchange x = exchange(row.request);
  EXPECT_EQ(x.request.start_line, row.line);
  x.backend.send(ok("served"));
  EXPECT_EQ(receive_response(x.client).body, "served");
}

const std::vector<ServedRow> kServed = {
    {"EmptyLineBeforeTheRequestIsIgnored", "RFC 9112 2.2", "\r\n" + first("GET /a HTTP/1.1"),
     "GET /a HTTP/1.1"},
    {"LowerCaseMethodIsAnotherMethod", "RFC 9110 9.1", first("get /a HTTP/1.1"), "get /a HTTP/1.1"},
    {"UnknownMethodPasses", "RFC 9110 9.1", first("BREW /a HTTP/1.1"), "BREW /a HTTP/1.1"},
    {"MethodWithDashPasses", "RFC 9110 9.1", first("M-SEARCH /a HTTP/1.1"), "M-SEARCH /a HTTP/1.1"},
    {"MethodOfMarksPasses", "RFC 9110 9.1", first("!#$%&'*+-.^_`|~ /a HTTP/1.1"),
     "!#$%&'*+-.^_`|~ /a HTTP/1.1"},
    {"PutPasses", "RFC 9110 9.3.4", first("PUT /a HTTP/1.1"), "PUT /a HTTP/1.1"},
    {"PatchPasses", "RFC 5789 2", first("PATCH /a HTTP/1.1"), "PATCH /a HTTP/1.1"},
    {"DeletePasses", "RFC 9110 9.3.5", first("DELETE /a HTTP/1.1"), "DELETE /a HTTP/1.1"},
    {"OptionsPasses", "RFC 9110 9.3.7", first("OPTIONS /a HTTP/1.1"), "OPTIONS /a HTTP/1.1"},
    {"QueryMethodPasses", "RFC 9110 9.1", first("QUERY /a HTTP/1.1"), "QUERY /a HTTP/1.1"},
    {"PropfindPasses", "RFC 4918 9.1", first("PROPFIND /a HTTP/1.1"), "PROPFIND /a HTTP/1.1"},
    {"MethodOfFiftyBytesPasses", "RFC 9110 9.1", first(std::string(50, 'M') + " /a HTTP/1.1"),
     std::string(50, 'M') + " /a HTTP/1.1"},
    {"Http10RequestIsForwardedAsHttp11", "RFC 9110 2.5", first("GET /a HTTP/1.0"),
     "GET /a HTTP/1.1"},
    {"Http10RequestWithoutHostIsServed", "RFC 9112 3.2", "GET /a HTTP/1.0\r\n\r\n",
     "GET /a HTTP/1.1"},
    {"OneFieldOfOneByteIsServed", "RFC 9112 5", get("/a", "x:y\r\n"), "GET /a HTTP/1.1"},
};

WIRE_ROWS(RequestLine, kServed, expect_served);

WIRE_TEST(RequestLine, ConnectIs405, "contract: CONNECT: 405") {
  for (const std::string_view target : {"localhost:80", "/", "localhost", "http://localhost/"}) {
    Connection client = site().connect();
    client.send("CONNECT " + std::string(target) + " HTTP/1.1\r\nHost: localhost:80\r\n\r\n");
    const Response response = receive_response(client);
    EXPECT_TRUE(response.status == 405 || (response.status == 400 && target != "localhost:80"))
        << target << ": " << response.status;
    client.close();
    expect_only_marker_reaches_backends(site());
  }
}

WIRE_TEST(RequestLine, NothingBehindAConnectIsParsed, "RFC 9110 9.3.6") {
  Connection client = site().connect();
  client.send("CONNECT localhost:80 HTTP/1.1\r\nHost: localhost:80\r\n\r\n" + get("/smuggled"));
  EXPECT_EQ(receive_response(client).status, 405);
  client.expect_end();
  expect_only_marker_reaches_backends(site());
}

WIRE_TEST(RequestLine, Http10RequestReachesTheBackendWithOneHost, "RFC 9112 3.2") {
  Exchange x = exchange("GET / HTTP/1.0\r\n\r\n");
  EXPECT_EQ(x.request.all("host").size(), 1U);
  x.backend.send(ok("x"));
  EXPECT_EQ(receive_response(x.client).body, "x");
}

WIRE_TEST(RequestLine, HigherMinorVersionIsServedAsHttp11OrRefused, "RFC 9110 2.5") {
  Connection client = site().connect();
  client.send("GET /a HTTP/1.9\r\nHost: localhost\r\nConnection: close\r\n\r\n");
  std::optional<Connection> backend;
  ASSERT_TRUE(eventually([&] {
    backend = site().root.accept_pending();
    return backend || client.readable();
  }));
  if (backend) {
    EXPECT_EQ(receive_head(*backend).start_line, "GET /a HTTP/1.1");
    backend->send(ok("x"));
    EXPECT_EQ(receive_response(client).status, 200);
  } else {
    expect_error(client, {400, 505});
  }
}

WIRE_TEST(RequestLine, OptionsAsteriskGoesToTheRootRouteAsItIs,
          "contract: OPTIONS * goes to the / route as *") {
  Exchange x = exchange(first("OPTIONS * HTTP/1.1"));
  EXPECT_EQ(x.request.start_line, "OPTIONS * HTTP/1.1");
  x.backend.send(ok("x"));
  EXPECT_EQ(receive_response(x.client).body, "x");
}

WIRE_TEST(RequestLine, AnswerToARejectedRequestSurvivesUnreadInput, "RFC 9112 9.6") {
  Connection client = site().connect();
  client.send("GET / HTTP/9.9.9\r\nHost: localhost\r\n\r\n");
  static_cast<void>(client.send_until_stalled(std::string(1 << 20, 'x'), milliseconds(100)));
  expect_error(client, {400, 505});
}

}  // namespace
}  // namespace gondolin::wiretest
