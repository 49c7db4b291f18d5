// Request heads: what is accepted, what it means, and what is refused with which
// status (RFC 9112 2 to 6, RFC 9110 7.2, 7.8, 10.1.1).
#include "http/request.hpp"

#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "unit/http/outcome.hpp"

namespace gondolin::http {
namespace {

using testing::request_outcome;

// The head of the one request that `bytes` begin with; the bytes must live on.
class Parsed {
 public:
  explicit Parsed(std::string bytes, const Limits& limits = {})
      : bytes_(std::move(bytes)), parser_(limits) {
    const auto progress = parser_.parse(bytes_);
    EXPECT_TRUE(progress) << (progress ? "" : progress.error().reason) << "\n" << bytes_;
    EXPECT_TRUE(progress && *progress == Progress::kComplete) << bytes_;
  }
  const RequestHead* operator->() const { return &parser_.head(); }
  const RequestHead& operator*() const { return parser_.head(); }

 private:
  std::string bytes_;
  RequestParser parser_;
};

// A request whose line is `line` with a good Host.
std::string with_line(std::string_view line) {
  return std::string(line) + "\r\nHost: a\r\n\r\n";
}

// A good request with `fields` (each with its CRLF) behind Host.
std::string with_fields(std::string_view fields) {
  return "POST / HTTP/1.1\r\nHost: a\r\n" + std::string(fields) + "\r\n";
}

// The status that `bytes` are refused with, 0 if they are not.
unsigned status_of(std::string_view bytes, const Limits& limits = {}) {
  RequestParser parser(limits);
  const auto progress = parser.parse(bytes);
  return progress ? 0 : to_number(progress.error().status);
}

TEST(RequestParser, TellsWhatIsKnownOfAHeadThatIsRefusedOrHalfThere) {
  RequestParser parser;
  std::string bytes = "HEAD / HTTP/1.1\r\nAccept: text/html\r\nHos";
  ASSERT_TRUE(parser.parse(bytes));
  EXPECT_EQ(parser.partial(bytes).method, "HEAD");
  bytes += "t: a\r\nno colon\r\n";
  const std::string moved = bytes;
  ASSERT_FALSE(parser.parse(moved));
  const auto known = parser.partial(moved);
  EXPECT_EQ(known.method, "HEAD");
  EXPECT_EQ(known.fields.size(), 2U);
  EXPECT_EQ(known.fields.value(FieldName::kAccept), "text/html");

  RequestParser other;
  ASSERT_FALSE(other.parse("GET / HTTP/9.9\r\n"));
  EXPECT_EQ(other.partial("GET / HTTP/9.9\r\n").method, "");
}

TEST(RequestParser, GivesEveryPartOfAPlainRequest) {
  const Parsed head("GET /a/b?x=1 HTTP/1.1\r\nHost: localhost:8080\r\nX-Mixed: v \r\n\r\nbody");
  EXPECT_EQ(head->method, "GET");
  EXPECT_EQ(head->target.form, TargetForm::kOrigin);
  EXPECT_EQ(head->target.path, "/a/b");
  EXPECT_EQ(head->target.query, "?x=1");
  EXPECT_EQ(head->version, Version::kHttp11);
  EXPECT_EQ(head->authority, "localhost:8080");
  EXPECT_EQ(head->body, BodyFraming{});
  EXPECT_EQ(head->persistence, Persistence::kKeepAlive);
  EXPECT_EQ(head->fields.size(), 2U);
  EXPECT_EQ(head->fields[1].name, "X-Mixed");
  EXPECT_EQ(head->fields[1].value, "v");
  EXPECT_EQ(head->size, 60U);
}

TEST(RequestParser, GivesTheSameResultWhereverTheBytesAreSplit) {
  const std::vector<std::string> messages = {
      "\r\n\r\nGET http://u:80/p?q HTTP/1.1\r\nHost: x\r\nA:\r\nB: \t v\t \r\n\r\nGET / "
      "HTTP/1.1\r\n",
      "POST /x HTTP/1.0\r\nContent-Length: 3\r\nConnection: keep-alive\r\n\r\nabc",
      "GET / HTTP/1.1\r\nHost: x\nA: b\r\n\r\n",
      "GET / HTTP/1.1\r\nHost: x\r\n folded\r\n\r\n",
      "GET / HTTP/1.1\rHost: x\r\n\r\n",
      "GET / HTTP/2.0\r\nHost: x\n\r\n",
      std::string("GET /\0 HTTP/1.1\r\n\r\n", 19),
      "OPTIONS * HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nExpect: 100-continue\r\n\r\n",
  };
  for (const std::string& message : messages) {
    const std::string whole = request_outcome(message);
    for (std::size_t step = 1; step < message.size(); ++step) {
      EXPECT_EQ(request_outcome(message, step), whole) << "in steps of " << step << ":\n"
                                                       << message;
    }
    for (std::size_t cut = 0; cut < message.size(); ++cut) {
      RequestParser parser;
      const std::string first = message.substr(0, cut);
      if (const auto progress = parser.parse(first); progress && *progress == Progress::kNeedMore) {
        EXPECT_EQ(testing::outcome_of(parser, message, testing::kWhole), whole) << "cut at " << cut;
      }
    }
  }
}

TEST(RequestParser, GivesTheSameVerdictOnLimitsWhereverTheBytesAreSplit) {
  const Limits small{.start_line = 20, .head = 60, .fields = 3};
  const std::vector<std::string> messages = {
      "GET /23456789012345 HTTP/1.1\r\nHost: a\r\n\r\n",
      "GET /2345678901234567890123456789012345678901234567890123456789\n",
      "GET / HTTP/1.1\r\nHost: a\r\nX: 9012345678901234567890123456789\n\r\n",
      "GET / HTTP/1.1\r\nHost: a\r\nX: 9012345678901234567890123456\r\n\r\n",
      "GET / HTTP/1.1\r\nHost: a\r\nX: 90123456789012345678901234\r\n\r\n",
      "GET / HTTP/1.1\r\nHost: a\r\nX: 901234567890123456789012345678\rX",
      "GET / HTTP/1.1\r\nHost: a\r\nb:\r\nc:\r\nd:\r\n\n",
  };
  for (const std::string& message : messages) {
    const std::string whole = request_outcome(message, testing::kWhole, small);
    for (std::size_t step = 1; step < message.size(); ++step) {
      EXPECT_EQ(request_outcome(message, step, small), whole) << step << "\n" << message;
    }
  }
}

TEST(RequestParser, LooksAtEveryByteOnceHoweverSmallThePieces) {
  std::string message = "GET / HTTP/1.1\r\nHost: a\r\nX: " + std::string(60'000, 'x') + "\r\n\r\n";
  RequestParser parser;
  for (std::size_t shown = 1; shown <= message.size(); ++shown) {
    const auto progress = parser.parse(std::string_view(message).substr(0, shown));
    ASSERT_TRUE(progress);
    ASSERT_EQ(*progress == Progress::kComplete, shown == message.size());
  }
  EXPECT_EQ(parser.head().fields.value(FieldName::kHost), "a");
}

TEST(RequestParser, LeavesTheNextRequestAlone) {
  const std::string bytes = "GET /1 HTTP/1.1\r\nHost: a\r\n\r\nGET /2 HTTP/1.1\r\nHost: b\r\n\r\n";
  RequestParser parser;
  ASSERT_TRUE(parser.parse(bytes));
  EXPECT_EQ(parser.head().target.path, "/1");
  const std::string rest = bytes.substr(parser.head().size);
  parser.reset();
  ASSERT_TRUE(parser.parse(rest));
  EXPECT_EQ(parser.head().target.path, "/2");
  EXPECT_EQ(parser.head().authority, "b");
  EXPECT_EQ(parser.head().size, rest.size());
}

TEST(RequestParser, RepeatsARejectionUntilReset) {
  RequestParser parser;
  EXPECT_FALSE(parser.parse("GET / HTTP/1.1\n"));
  EXPECT_FALSE(parser.parse("GET / HTTP/1.1\r\nHost: a\r\n\r\n"));
  parser.reset();
  EXPECT_TRUE(parser.parse("GET / HTTP/1.1\r\nHost: a\r\n\r\n"));
}

TEST(RequestParser, TellsALateRequestFromAnIdleConnection) {
  RequestParser parser;
  ASSERT_TRUE(parser.parse("\r\n\r"));
  EXPECT_FALSE(parser.started());
  ASSERT_TRUE(parser.parse("\r\n\r\n"));
  EXPECT_FALSE(parser.started());
  ASSERT_TRUE(parser.parse("\r\n\r\nG"));
  EXPECT_TRUE(parser.started());
}

TEST(RequestParser, SkipsAFewEmptyLinesBeforeTheRequest) {
  EXPECT_EQ(Parsed("\r\n" + with_line("GET / HTTP/1.1"))->method, "GET");
  EXPECT_EQ(Parsed("\r\n\r\n\r\n\r\n" + with_line("GET / HTTP/1.1"))->method, "GET");
  EXPECT_EQ(status_of("\r\n\r\n\r\n\r\n\r\n"), 400U);
  EXPECT_EQ(status_of("\n"), 400U);
  EXPECT_EQ(status_of(" \r\n"), 400U);
}

TEST(RequestParser, RefusesABadRequestLineAsSoonAsItEnds) {
  EXPECT_EQ(status_of("GET /\r\n"), 400U) << "HTTP/0.9 sends nothing more";
  EXPECT_EQ(status_of("\x16\x03\x01\x02"), 400U) << "TLS waits for an answer";
  EXPECT_EQ(status_of("PRI * HTTP/2.0\r\n"), 505U) << "the preface of HTTP/2";
}

struct LineCase {
  std::string line;
  unsigned status;
};

TEST(RequestParser, RefusesRequestLinesThatBreakTheGrammar) {
  const std::vector<LineCase> cases = {
      {"GET  / HTTP/1.1", 400},
      {"GET /  HTTP/1.1", 400},
      {"GET / HTTP/1.1 ", 400},
      {" GET / HTTP/1.1", 400},
      {"GET\t/ HTTP/1.1", 400},
      {"GET /\tHTTP/1.1", 400},
      {"GET / a HTTP/1.1", 400},
      {"GET /a b HTTP/1.1", 400},
      {"GET HTTP/1.1", 400},
      {"GET", 400},
      {"GET ", 400},
      {"GET / ", 400},
      {"G(T / HTTP/1.1", 400},
      {"G\xc3\x89T / HTTP/1.1", 400},
      {"GET: / HTTP/1.1", 400},
      {"GET / HTTP/1.10", 400},
      {"GET / HTTP/01.1", 400},
      {"GET / HTTP/1,1", 400},
      {"GET / HTTP/1", 400},
      {"GET / HTTP/1.", 400},
      {"GET / HTTP/.1", 400},
      {"GET / http/1.1", 400},
      {"GET / HTTPS/1.1", 400},
      {"GET / HTTP 1.1", 400},
      {"GET / HTTP/1.x", 400},
      {"GET / HTTP/+1.1", 400},
      {"GET / ICAP/1.1", 400},
      {"GET / HTTP/0.9", 505},
      {"GET / HTTP/2.0", 505},
      {"GET / HTTP/9.9", 505},
      {"GET /#frag HTTP/1.1", 400},
      {"GET # HTTP/1.1", 400},
      {"GET a HTTP/1.1", 400},
      {"GET ?a HTTP/1.1", 400},
      {"GET * HTTP/1.1", 400},
      {"GET a:80 HTTP/1.1", 400},
      {"OPTIONS ** HTTP/1.1", 400},
      {"GET ftp://a/ HTTP/1.1", 400},
      {"GET https://a/ HTTP/1.1", 400},
      {"GET http:/a HTTP/1.1", 400},
      {"GET http:// HTTP/1.1", 400},
      {"GET http:///a HTTP/1.1", 400},
      {"GET http://?a HTTP/1.1", 400},
      {"GET http://u@a/ HTTP/1.1", 400},
      {"GET http://u:p@a/ HTTP/1.1", 400},
      {"GET http://a:b/ HTTP/1.1", 400},
      {"GET http://a:65536/ HTTP/1.1", 400},
      {"GET http://[::1/ HTTP/1.1", 400},
      {"GET http://a\\@b/ HTTP/1.1", 400},
      {"CONNECT / HTTP/1.1", 400},
      {"CONNECT a HTTP/1.1", 400},
      {"CONNECT a: HTTP/1.1", 400},
      {"CONNECT http://a:80/ HTTP/1.1", 400},
      {"CONNECT * HTTP/1.1", 400},
  };
  for (const LineCase& c : cases)
    EXPECT_EQ(status_of(with_line(c.line)), c.status) << c.line;
}

TEST(RequestParser, TakesEveryTokenAsAMethodAndKeepsItsCase) {
  for (std::string_view method : {"GET", "get", "PROPFIND", "M-SEARCH", "X!#$%&'*+-.^_`|~9"}) {
    EXPECT_EQ(Parsed(with_line(std::string(method) + " / HTTP/1.1"))->method, method);
  }
}

TEST(RequestParser, KeepsEveryByteOfTheTarget) {
  for (std::string_view target : {"//api/x", "/%2F//..", "/a|b{c}\"<>\\^`", "/\xc3\xa9?\xff\x80",
                                  "/?", "/??a=?", "/%zz%", "/a;b=c:@!$&'()*+,", "//"}) {
    const Parsed head(with_line("GET " + std::string(target) + " HTTP/1.1"));
    EXPECT_EQ(head->target.text, target);
    EXPECT_EQ(std::string(head->target.path) + std::string(head->target.query), target);
    EXPECT_EQ(head->authority, "a") << "a target with two slashes names no host";
  }
}

TEST(RequestParser, SplitsTheTargetAtTheFirstQuestionMark) {
  const Parsed lone(with_line("GET /a? HTTP/1.1"));
  EXPECT_EQ(lone->target.path, "/a");
  EXPECT_EQ(lone->target.query, "?");
  const Parsed twice(with_line("GET /a?b?/../c HTTP/1.1"));
  EXPECT_EQ(twice->target.path, "/a");
  EXPECT_EQ(twice->target.query, "?b?/../c");
}

TEST(RequestParser, TakesPathAndHostFromAnAbsoluteTarget) {
  const Parsed full(with_line("GET hTTp://Example.com:81/x?y HTTP/1.1"));
  EXPECT_EQ(full->target.form, TargetForm::kAbsolute);
  EXPECT_EQ(full->authority, "Example.com:81") << "Host says a, RFC 9112 3.2.2 overrules it";
  EXPECT_EQ(full->target.path, "/x");
  EXPECT_EQ(full->target.query, "?y");
  EXPECT_EQ(Parsed(with_line("GET http://b HTTP/1.1"))->target.path, "/");
  const Parsed query(with_line("GET http://b?q=/x HTTP/1.1"));
  EXPECT_EQ(query->target.path, "/");
  EXPECT_EQ(query->target.query, "?q=/x");
  EXPECT_EQ(Parsed(with_line("GET http://[::1]:8080//x HTTP/1.1"))->authority, "[::1]:8080");
}

TEST(RequestParser, TakesTheAsteriskOfOptionsInBothForms) {
  const Parsed plain(with_line("OPTIONS * HTTP/1.1"));
  EXPECT_EQ(plain->target.form, TargetForm::kAsterisk);
  EXPECT_EQ(plain->target.path, "*");
  EXPECT_EQ(Parsed(with_line("OPTIONS http://b HTTP/1.1"))->target.path, "*") << "RFC 9112 3.2.4";
  EXPECT_EQ(Parsed(with_line("OPTIONS http://b/ HTTP/1.1"))->target.path, "/");
  EXPECT_EQ(Parsed(with_line("OPTIONS http://b?x HTTP/1.1"))->target.path, "/");
}

TEST(RequestParser, TakesHostAndPortOfConnect) {
  const Parsed head(with_line("CONNECT b:443 HTTP/1.1"));
  EXPECT_EQ(head->target.form, TargetForm::kAuthority);
  EXPECT_EQ(head->authority, "b:443");
  EXPECT_EQ(head->target.path, "");
}

TEST(RequestParser, TreatsLaterMinorVersionsAsOnePointOne) {
  EXPECT_EQ(Parsed(with_line("GET / HTTP/1.2"))->version, Version::kHttp11);
  EXPECT_EQ(Parsed(with_line("GET / HTTP/1.9"))->version, Version::kHttp11);
  EXPECT_EQ(Parsed(with_line("GET / HTTP/1.0"))->version, Version::kHttp10);
}

TEST(RequestParser, RefusesFieldLinesThatBreakTheGrammar) {
  const std::vector<std::string> bad = {
      "X : a\r\n",
      "X\t: a\r\n",
      " X: a\r\n",
      "\tX: a\r\n",
      "X: a\r\n b\r\n",
      ": a\r\n",
      "X\r\n",
      "X a\r\n",
      "X(Y): a\r\n",
      "X Y: a\r\n",
      "X\xc3\xa9: a\r\n",
      "\"X\": a\r\n",
      "X: a\rb\r\n",
      "X: a\nY: b\r\n",
      "X: a\n\r\n",
      "X: \x01\r\n",
      "X: a\x7f\r\n",
      "X: a\x0b\r\n",
      "X: a\r\r\n",
      std::string("X: a\0b\r\n", 8),
      std::string("X\0: a\r\n", 7),
      "X: a\x1b[0m\r\n",
      "{}: a\r\n",
      "X[]: 1\r\n",
      "X\x7f: a\r\n",
  };
  for (const std::string& field : bad)
    EXPECT_EQ(status_of(with_fields(field)), 400U) << field;
}

TEST(RequestParser, EndsTheHeadAtNothingButCrlf) {
  EXPECT_EQ(status_of("GET / HTTP/1.1\r\nHost: a\r\n\n"), 400U);
  EXPECT_EQ(status_of("GET / HTTP/1.1\r\nHost: a\n\n"), 400U);
  EXPECT_EQ(status_of("GET / HTTP/1.1\nHost: a\r\n\r\n"), 400U);
  EXPECT_EQ(status_of("GET / HTTP/1.1\r\nHost: a\r\n\rX"), 400U);
  EXPECT_EQ(request_outcome("GET / HTTP/1.1\r\nHost: a\r\n\r"), "need more");
}

TEST(RequestParser, KeepsNamesValuesOrderAndRepeats) {
  const Parsed head(
      with_fields("b: 1\r\nB:2\r\nA:\t3 4\t\r\nEmpty:\r\nBlank: \r\n__proto__: x\r\n"
                  "L: \xe9\xff\x80\r\nTab: a\tb\r\n!#$%&'*+-.^_`|~: t\r\nb: 5:6\r\n"));
  std::vector<std::pair<std::string_view, std::string_view>> seen;
  for (const Field& field : head->fields)
    seen.emplace_back(field.name, field.value);
  EXPECT_THAT(
      seen, ::testing::ElementsAre(std::pair("Host", "a"), std::pair("b", "1"), std::pair("B", "2"),
                                   std::pair("A", "3 4"), std::pair("Empty", ""),
                                   std::pair("Blank", ""), std::pair("__proto__", "x"),
                                   std::pair("L", "\xe9\xff\x80"), std::pair("Tab", "a\tb"),
                                   std::pair("!#$%&'*+-.^_`|~", "t"), std::pair("b", "5:6")));
}

TEST(RequestParser, DemandsOneValidHost) {
  EXPECT_EQ(status_of("GET / HTTP/1.1\r\n\r\n"), 400U);
  EXPECT_EQ(status_of("GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n"), 400U);
  EXPECT_EQ(status_of("GET / HTTP/1.0\r\nHost: a\r\nHost: b\r\n\r\n"), 400U);
  EXPECT_EQ(status_of("GET http://a/ HTTP/1.1\r\n\r\n"), 400U) << "RFC 9112 3.2: even then";
  EXPECT_EQ(status_of("GET http://a/ HTTP/1.1\r\nHost: a b\r\n\r\n"), 400U);
  for (std::string_view host :
       {"a b",  "a,b c", "a/b", "u@a",      "a:b",    "a:80:80",   "a:65536",
        "a:-1", "[::1",  "::1", "[::g]",    "[::1]x", "[1.2.3.4]", "[fe80::1%25eth0]",
        "a%zz", "a%2",   ":80", "http://a", "a?b",    "a#b",       "\xc3\xa9",
        "a\\b"}) {
    EXPECT_EQ(status_of("GET / HTTP/1.1\r\nHost: " + std::string(host) + "\r\n\r\n"), 400U) << host;
  }
  for (std::string_view host : {"a", "a:", "a:0080", "A.b-c_d~", "1.2.3.4:5", "[::1]", "[::1]:80",
                                "a,b", "a%2eb", "xn--e1afmkfd.example.", ""}) {
    EXPECT_EQ(Parsed("GET / HTTP/1.1\r\nHost: " + std::string(host) + "\r\n\r\n")->authority, host);
  }
  EXPECT_EQ(Parsed("GET / HTTP/1.0\r\n\r\n")->authority, "");
}

TEST(RequestParser, FindsTheFramingOfTheBody) {
  EXPECT_EQ(Parsed(with_fields(""))->body, BodyFraming{});
  EXPECT_EQ(Parsed(with_fields("Content-Length: 0\r\n"))->body,
            (BodyFraming{BodyKind::kLength, 0}));
  EXPECT_EQ(Parsed(with_fields("content-LENGTH:\t0042 \r\n"))->body,
            (BodyFraming{BodyKind::kLength, 42}));
  EXPECT_EQ(Parsed(with_fields("Content-Length: 9223372036854775807\r\n"))->body,
            (BodyFraming{BodyKind::kLength, INT64_MAX}));
  EXPECT_EQ(Parsed(with_fields("Transfer-Encoding: chunked\r\n"))->body,
            (BodyFraming{BodyKind::kChunked, 0}));
  EXPECT_EQ(Parsed(with_fields("transfer-encoding:\tCHunked\t\r\n"))->body,
            (BodyFraming{BodyKind::kChunked, 0}));
}

TEST(RequestParser, RefusesEveryContentLengthThatIsNotOneNumber) {
  for (std::string_view value : {"",
                                 "+5",
                                 "-5",
                                 "5 5",
                                 "5,5",
                                 "5, 5",
                                 "5, 6",
                                 "5,",
                                 ",5",
                                 "0x5",
                                 "5x",
                                 "5.0",
                                 "1e3",
                                 "\"5\"",
                                 "9223372036854775808",
                                 "18446744073709551616",
                                 "99999999999999999999999999",
                                 "five",
                                 "5;",
                                 "\xd9\xa5",
                                 "5\t5",
                                 "_5",
                                 "1_0"}) {
    EXPECT_EQ(status_of(with_fields("Content-Length: " + std::string(value) + "\r\n")), 400U)
        << value;
  }
  EXPECT_EQ(status_of(with_fields("Content-Length: 5\r\nContent-Length: 5\r\n")), 400U);
  EXPECT_EQ(status_of(with_fields("Content-Length: 5\r\ncontent-length: 6\r\n")), 400U);
}

TEST(RequestParser, RefusesEveryTransferEncodingButChunked) {
  const std::vector<LineCase> cases = {
      {"", 400},
      {"chunked, chunked", 400},
      {"chunked,chunked", 400},
      {"chunked, identity", 400},
      {"chunked, gzip", 400},
      {"chunked,", 400},
      {", chunked", 400},
      {"chunked;q=1", 400},
      {"chunked; a=b", 400},
      {"\"chunked\"", 400},
      {"'chunked'", 501},
      {"chunked chunked", 400},
      {"chun ked", 400},
      {"chunked\xa0", 400},
      {"[chunked]", 400},
      {"chunked\tx", 400},
      {"xchunked", 501},
      {"chunkedx", 501},
      {"identity", 501},
      {"gzip", 501},
      {"gzip, chunked", 501},
      {"foo", 501},
      {"identity, chunked", 501},
  };
  for (const LineCase& c : cases) {
    EXPECT_EQ(status_of(with_fields("Transfer-Encoding: " + c.line + "\r\n")), c.status) << c.line;
  }
  EXPECT_EQ(status_of(with_fields("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n")),
            400U);
  EXPECT_EQ(status_of(with_fields("Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n")),
            501U);
  EXPECT_EQ(status_of(with_fields("Transfer-Encoding: \x0b"
                                  "chunked\r\n")),
            400U);
}

TEST(RequestParser, RefusesTransferEncodingWithContentLengthOrHttp10) {
  EXPECT_EQ(status_of(with_fields("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n")), 400U);
  EXPECT_EQ(status_of(with_fields("Transfer-Encoding: chunked\r\nContent-Length: 0\r\n")), 400U);
  EXPECT_EQ(status_of(with_fields("Transfer-Encoding: foo\r\nContent-Length: 0\r\n")), 400U);
  EXPECT_EQ(status_of("POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n"), 400U);
}

TEST(RequestParser, KnowsWhetherTheConnectionStaysOpen) {
  auto persistence = [](std::string_view version, std::string_view connection) {
    std::string fields =
        connection.empty() ? "" : "Connection: " + std::string(connection) + "\r\n";
    return Parsed("GET / HTTP/" + std::string(version) + "\r\nHost: a\r\n" + fields + "\r\n")
        ->persistence;
  };
  EXPECT_EQ(persistence("1.1", ""), Persistence::kKeepAlive);
  EXPECT_EQ(persistence("1.1", "close"), Persistence::kClose);
  EXPECT_EQ(persistence("1.1", "x, CLOSE ,y"), Persistence::kClose);
  EXPECT_EQ(persistence("1.1", "keep-alive, close"), Persistence::kClose);
  EXPECT_EQ(persistence("1.1", "closed"), Persistence::kKeepAlive);
  EXPECT_EQ(persistence("1.0", ""), Persistence::kClose);
  EXPECT_EQ(persistence("1.0", "Keep-Alive"), Persistence::kKeepAlive);
  EXPECT_EQ(persistence("1.0", "keep-alive, close"), Persistence::kClose);
}

TEST(RequestParser, KnowsOnlyTheExpectationOf100Continue) {
  EXPECT_EQ(Parsed(with_fields("Expect: 100-Continue\r\n"))->expectation, Expectation::kContinue);
  EXPECT_EQ(Parsed(with_fields("Expect:\r\n"))->expectation, Expectation::kNone);
  EXPECT_EQ(Parsed("GET / HTTP/1.0\r\nExpect: 100-continue\r\n\r\n")->expectation,
            Expectation::kNone);
  EXPECT_EQ(status_of(with_fields("Expect: 200-ok\r\n")), 417U);
  EXPECT_EQ(status_of(with_fields("Expect: 100-continue, x\r\n")), 417U);
  EXPECT_EQ(status_of(with_fields("Expect: 100-continue\r\nExpect: y\r\n")), 417U);
}

TEST(RequestParser, SeesWhatAnUpgradeAsksFor) {
  EXPECT_EQ(Parsed(with_fields(""))->upgrade, UpgradeRequest::kNone);
  EXPECT_EQ(Parsed(with_fields("Upgrade: h2c\r\n"))->upgrade, UpgradeRequest::kOther);
  EXPECT_EQ(Parsed(with_fields("Upgrade: WebSocket\r\n"))->upgrade, UpgradeRequest::kWebSocket);
  EXPECT_EQ(Parsed(with_fields("Upgrade: h2c, websocket\r\n"))->upgrade,
            UpgradeRequest::kWebSocket);
  EXPECT_EQ(Parsed(with_fields("Upgrade: websocketx\r\n"))->upgrade, UpgradeRequest::kOther);
  EXPECT_EQ(Parsed("GET / HTTP/1.0\r\nUpgrade: websocket\r\n\r\n")->upgrade, UpgradeRequest::kNone);
}

TEST(RequestParser, HoldsTheLimitsToTheByte) {
  const std::string line = "GET /" + std::string(16 * 1024 - 14, 'a') + " HTTP/1.1";
  ASSERT_EQ(line.size(), 16U * 1024);
  EXPECT_EQ(status_of(with_line(line)), 0U);
  EXPECT_EQ(status_of(with_line("X" + line)), 414U);
  EXPECT_EQ(status_of("X" + line), 414U) << "before the line ends";

  std::string head = "GET / HTTP/1.1\r\nHost: a\r\nX: ";
  head += std::string(64 * 1024 - head.size() - 4, 'x');
  EXPECT_EQ(status_of(head + "\r\n\r\n"), 0U);
  EXPECT_EQ(status_of(head + "x\r\n\r\n"), 431U);
  EXPECT_EQ(status_of(head + "xxxx"), 431U) << "before the head ends";

  std::string fields;
  for (int i = 0; i < 127; ++i)
    fields += "X: 1\r\n";
  EXPECT_EQ(status_of(with_fields(fields)), 0U);
  EXPECT_EQ(status_of(with_fields(fields + "X: 1\r\n")), 431U);
}

TEST(RequestParser, RefusesAFloodOfConnectionOptions) {
  std::string options = "Connection: a";
  for (int i = 1; i < 128; ++i)
    options += ",a";
  EXPECT_EQ(status_of(with_fields(options + "\r\n")), 0U);
  EXPECT_EQ(status_of(with_fields(options + ",a\r\n")), 431U);
}

}  // namespace
}  // namespace gondolin::http
