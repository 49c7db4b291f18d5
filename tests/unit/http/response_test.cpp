// Response heads: framing by RFC 9112 6.3, and what a backend must not send.
#include "http/response.hpp"

#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "unit/http/outcome.hpp"

namespace gondolin::http {
namespace {

using testing::response_outcome;

class Parsed {
 public:
  explicit Parsed(std::string bytes, ResponseTo request = ResponseTo::kOther)
      : bytes_(std::move(bytes)), parser_(request) {
    const auto progress = parser_.parse(bytes_);
    EXPECT_TRUE(progress) << (progress ? "" : progress.error().reason) << "\n" << bytes_;
    EXPECT_TRUE(progress && *progress == Progress::kComplete) << bytes_;
  }
  const ResponseHead* operator->() const { return &parser_.head(); }

 private:
  std::string bytes_;
  ResponseParser parser_;
};

std::string with_fields(std::string_view fields, std::string_view line = "HTTP/1.1 200 OK") {
  return std::string(line) + "\r\n" + std::string(fields) + "\r\n";
}

bool refused(std::string_view bytes, ResponseTo request = ResponseTo::kOther) {
  ResponseParser parser(request);
  const auto progress = parser.parse(bytes);
  if (!progress) EXPECT_EQ(progress.error().status, StatusCode::kBadGateway);
  return !progress;
}

TEST(ResponseParser, GivesEveryPartOfAPlainResponse) {
  const Parsed head("HTTP/1.1 404 Not  Found\r\nSet-Cookie: a\r\nset-cookie: b\xe9\r\n\r\nbody");
  EXPECT_EQ(head->version, Version::kHttp11);
  EXPECT_EQ(head->status, StatusCode::kNotFound);
  EXPECT_EQ(head->reason, "Not  Found");
  EXPECT_EQ(head->fields.count("SET-COOKIE"), 2U);
  EXPECT_EQ(head->fields[1].name, "set-cookie");
  EXPECT_EQ(head->fields[1].value, "b\xe9");
  EXPECT_EQ(head->body, (BodyFraming{BodyKind::kUntilClose, 0}));
  EXPECT_EQ(head->size, 58U);
}

TEST(ResponseParser, GivesTheSameResultWhereverTheBytesAreSplit) {
  const std::vector<std::string> messages = {
      "HTTP/1.1 200 OK\r\nContent-Length : 3\r\nX:\t\r\n\r\nabc",
      "HTTP/1.0 200\r\n\r\n",
      "HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\n\r\n",
      "HTTP/1.1 200 OK\nX: y\r\n\r\n",
      "HTTP/1.1 2000 OK\r\nX: y\n\r\n",
      "HTTP/1.1 200 OK\r\nContent-Length: 3, 4\r\n\r\n",
      "\r\nHTTP/1.1 200 OK\r\n\r\n",
      "SSH-2.0-OpenSSH_9.2\r\n",
  };
  for (const std::string& message : messages) {
    const std::string whole = response_outcome(message);
    for (std::size_t step = 1; step < message.size(); ++step) {
      EXPECT_EQ(response_outcome(message, ResponseTo::kOther, step), whole) << step << message;
    }
  }
}

TEST(ResponseParser, TakesStatusLinesThatServersSend) {
  EXPECT_EQ(Parsed("HTTP/1.1 200 OK\r\n\r\n")->reason, "OK");
  EXPECT_EQ(Parsed("HTTP/1.1 200 \r\n\r\n")->reason, "");
  EXPECT_EQ(Parsed("HTTP/1.1 200\r\n\r\n")->reason, "") << "the space is often forgotten";
  EXPECT_EQ(Parsed("HTTP/1.1 200  \tr\xc3\xa9 \r\n\r\n")->reason, " \tr\xc3\xa9 ");
  EXPECT_EQ(Parsed("HTTP/1.0 200 OK\r\n\r\n")->version, Version::kHttp10);
  EXPECT_EQ(Parsed("HTTP/1.7 200 OK\r\n\r\n")->version, Version::kHttp11);
  EXPECT_EQ(to_number(Parsed("HTTP/1.1 999 x\r\n\r\n")->status), 999U);
  EXPECT_EQ(to_number(Parsed("HTTP/1.1 100 x\r\n\r\n")->status), 100U);
}

TEST(ResponseParser, RefusesStatusLinesThatBreakTheGrammar) {
  for (std::string_view line : {"HTTP/1.1",
                                "HTTP/1.1 ",
                                "HTTP/1.1 20",
                                "HTTP/1.1 2000 OK",
                                "HTTP/1.1 200OK",
                                "HTTP/1.1  200 OK",
                                "HTTP/1.1\t200 OK",
                                "HTTP/1.1 200\tOK",
                                "HTTP/1.1 099 x",
                                "HTTP/1.1 2x0 OK",
                                "HTTP/1.1 -20 OK",
                                "HTTP/2.0 200 OK",
                                "HTTP/2 200",
                                "HTTP/0.9 200 OK",
                                "http/1.1 200 OK",
                                "ICY 200 OK",
                                "HTTP/1.1 200 O\x01K",
                                "<html>",
                                " HTTP/1.1 200 OK",
                                "200",
                                "HTTP/1.1200 OK"}) {
    EXPECT_TRUE(refused(with_fields("", line))) << line;
  }
  EXPECT_TRUE(refused("\r\nHTTP/1.1 200 OK\r\n\r\n")) << "RFC 9112 2.2 allows servers only";
}

TEST(ResponseParser, RefusesBytesThatAreNotHttpAtTheFirstLine) {
  EXPECT_TRUE(refused("SSH-2.0-OpenSSH_9.2\r\n"));
  EXPECT_TRUE(refused("220 mail ESMTP\r\n"));
  EXPECT_TRUE(refused("\x15\x03\x03"));
}

TEST(ResponseParser, MendsABlankBeforeAColon) {
  const Parsed head(with_fields("Content-Length \t: 5\r\nX : y\r\n"));
  EXPECT_EQ(head->body, (BodyFraming{BodyKind::kLength, 5})) << "RFC 9112 5.1";
  EXPECT_EQ(head->fields[1].name, "X");
}

TEST(ResponseParser, RefusesFieldLinesThatBreakTheGrammar) {
  for (std::string_view field :
       {" X: a\r\n", "X: a\r\n b\r\n", ": a\r\n", " : a\r\n", "X\r\n", "X Y: a\r\n", "X: a\rb\r\n",
        "X: a\nY: b\r\n", "X: \x02\r\n", "X\xe9: a\r\n"}) {
    EXPECT_TRUE(refused(with_fields(field))) << field;
  }
  EXPECT_TRUE(refused("HTTP/1.1 200 OK\n\n"));
  EXPECT_TRUE(refused("HTTP/1.1 200 OK\r\nX: a\r\n\n"));
}

TEST(ResponseParser, FindsTheFramingOfTheBody) {
  EXPECT_EQ(Parsed(with_fields(""))->body.kind, BodyKind::kUntilClose);
  EXPECT_EQ(Parsed(with_fields("Content-Length: 0\r\n"))->body,
            (BodyFraming{BodyKind::kLength, 0}));
  EXPECT_EQ(Parsed(with_fields("Content-Length: 7\r\n"))->content_length, 7U);
  EXPECT_EQ(Parsed(with_fields("Transfer-Encoding: chunked\r\n"))->body.kind, BodyKind::kChunked);
  EXPECT_EQ(Parsed(with_fields("", "HTTP/1.0 200 OK"))->body.kind, BodyKind::kUntilClose);
}

TEST(ResponseParser, TakesEqualRepeatsOfContentLengthAsOne) {
  EXPECT_EQ(Parsed(with_fields("Content-Length: 5, 5\r\n"))->body.length, 5U);
  EXPECT_EQ(Parsed(with_fields("Content-Length: 5\r\nContent-Length: 05\r\n"))->body.length, 5U);
}

TEST(ResponseParser, RefusesConflictingOrInvalidFraming) {
  for (std::string_view fields :
       {"Content-Length: 5\r\nContent-Length: 6\r\n", "Content-Length: 5, 6\r\n",
        "Content-Length: 5,\r\n", "Content-Length:\r\n", "Content-Length: -1\r\n",
        "Content-Length: 5x\r\n", "Content-Length: 9223372036854775808\r\n",
        "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n",
        "Transfer-Encoding: chunked, chunked\r\n", "Transfer-Encoding: identity\r\n",
        "Transfer-Encoding: gzip, chunked\r\n", "Transfer-Encoding: gzip\r\n",
        "Transfer-Encoding: xchunked\r\n", "Transfer-Encoding:\r\n",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n"}) {
    EXPECT_TRUE(refused(with_fields(fields))) << fields;
  }
  EXPECT_TRUE(refused(with_fields("Transfer-Encoding: chunked\r\n", "HTTP/1.0 200 OK")));
}

TEST(ResponseParser, GivesNoBodyToAnswersThatHaveNone) {
  const std::string fields = "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n";
  for (std::string_view line : {"HTTP/1.1 204 x", "HTTP/1.1 304 x", "HTTP/1.1 100 x",
                                "HTTP/1.1 103 x", "HTTP/1.1 101 x", "HTTP/1.0 304 x"}) {
    EXPECT_EQ(Parsed(with_fields(fields, line))->body, BodyFraming{}) << line;
  }
  EXPECT_EQ(Parsed(with_fields(fields), ResponseTo::kHead)->body, BodyFraming{});
  EXPECT_EQ(Parsed(with_fields("", "HTTP/1.1 500 x"), ResponseTo::kHead)->body, BodyFraming{});
}

TEST(ResponseParser, KeepsTheContentLengthOfHeadAnd304Only) {
  const std::string fields = "Content-Length: 5\r\n";
  EXPECT_EQ(Parsed(with_fields(fields), ResponseTo::kHead)->content_length, 5U);
  EXPECT_EQ(Parsed(with_fields(fields, "HTTP/1.1 304 x"))->content_length, 5U);
  EXPECT_EQ(Parsed(with_fields(fields, "HTTP/1.1 204 x"))->content_length, std::nullopt);
  EXPECT_EQ(Parsed(with_fields(fields, "HTTP/1.1 100 x"))->content_length, std::nullopt);
  EXPECT_EQ(Parsed(with_fields("Content-Length: x\r\n", "HTTP/1.1 204 x"))->content_length,
            std::nullopt);
  EXPECT_TRUE(refused(with_fields("Content-Length: x\r\n"), ResponseTo::kHead));
}

TEST(ResponseParser, TellsInterimResponsesFromFinalOnes) {
  EXPECT_TRUE(Parsed("HTTP/1.1 100 x\r\n\r\n")->interim());
  EXPECT_TRUE(Parsed("HTTP/1.1 199 x\r\n\r\n")->interim());
  EXPECT_FALSE(Parsed("HTTP/1.1 101 x\r\n\r\n")->interim());
  EXPECT_FALSE(Parsed("HTTP/1.1 200 x\r\n\r\n")->interim());
}

TEST(ResponseParser, ParsesTheHeadsOfAnExchangeOneAfterAnother) {
  std::string bytes = "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi";
  ResponseParser parser(ResponseTo::kOther);
  ASSERT_TRUE(parser.parse(bytes));
  ASSERT_TRUE(parser.head().interim());
  bytes.erase(0, parser.head().size);
  parser.reset(ResponseTo::kOther);
  EXPECT_FALSE(parser.started());
  ASSERT_TRUE(parser.parse(bytes));
  EXPECT_TRUE(parser.started());
  EXPECT_EQ(parser.head().body.length, 2U);
  EXPECT_EQ(bytes.substr(parser.head().size), "hi");
}

TEST(ResponseParser, BoundsTheHead) {
  std::string head = "HTTP/1.1 200 OK\r\nX: ";
  head += std::string(64 * 1024 - head.size() - 4, 'x');
  EXPECT_FALSE(refused(head + "\r\n\r\n"));
  EXPECT_TRUE(refused(head + "x\r\n\r\n"));
  std::string fields;
  for (int i = 0; i < 128; ++i)
    fields += "X: 1\r\n";
  EXPECT_FALSE(refused(with_fields(fields)));
  EXPECT_TRUE(refused(with_fields(fields + "X: 1\r\n")));
  EXPECT_TRUE(refused("HTTP/1.1 200 " + std::string(17'000, 'x')));
}

}  // namespace
}  // namespace gondolin::http
