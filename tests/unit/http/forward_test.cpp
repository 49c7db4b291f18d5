// Which fields reach the next hop, and how heads are written.
#include "http/forward.hpp"

#include <string>

#include <gtest/gtest.h>

#include "http/head_writer.hpp"

namespace gondolin::http {
namespace {

// The fields of a request that go on, as they would be written.
std::string forwarded(std::string_view fields, std::string_view version = "1.1") {
  const std::string bytes =
      "GET / HTTP/" + std::string(version) + "\r\n" + std::string(fields) + "\r\n";
  RequestParser parser;
  const auto progress = parser.parse(bytes);
  EXPECT_TRUE(progress && *progress == Progress::kComplete) << bytes;
  if (!progress) return std::string(progress.error().reason);
  const ForwardFilter filter(parser.head());
  std::string kept;
  for (const Field& field : parser.head().fields) {
    if (filter.keeps(field)) kept.append(field.name).append("=").append(field.value).append(" ");
  }
  return kept;
}

TEST(ForwardFilter, DropsWhatIsForThisHopOnly) {
  EXPECT_EQ(
      forwarded("Host: a\r\nConnection: keep-alive\r\nKeep-Alive: 5\r\nProxy-Connection: x\r\n"
                "PROXY-AUTHENTICATE: x\r\nProxy-Authorization: x\r\nProxy: evil\r\nTE: trailers\r\n"
                "Trailer: X\r\nUpgrade: h2c\r\nX: 1\r\nx: 2\r\n"),
      "Host=a X=1 x=2 ");
}

TEST(ForwardFilter, DropsFramingFieldsWhichAreWrittenAnew) {
  EXPECT_EQ(forwarded("Host: a\r\nContent-Length: 5\r\n"), "Host=a ");
  EXPECT_EQ(forwarded("Host: a\r\nTransfer-Encoding: chunked\r\n"), "Host=a ");
}

TEST(ForwardFilter, DropsEveryFieldThatConnectionNames) {
  EXPECT_EQ(forwarded("X-A: 1\r\nHost: a\r\nConnection: close, x-a ,,X-B\r\nx-b: 2\r\n"
                      "CONNECTION: X-C\r\nX-C: 3\r\nX-AB: 4\r\n"),
            "Host=a X-AB=4 ");
}

TEST(ForwardFilter, KeepsWhatAClientMustNotStrip) {
  EXPECT_EQ(
      forwarded("Host: a\r\nConnection: host, content-length, x-forwarded-for, X-Forwarded-Port,"
                " via, forwarded\r\nX-Forwarded-For: 1\r\nX-Forwarded-Port: 2\r\nVia: 3\r\n"
                "Forwarded: 4\r\n"),
      "Host=a X-Forwarded-For=1 X-Forwarded-Port=2 Via=3 Forwarded=4 ");
}

TEST(ForwardFilter, DropsTheExpectationOfHttp10) {
  EXPECT_EQ(forwarded("Host: a\r\nExpect: 100-continue\r\n"), "Host=a Expect=100-continue ");
  EXPECT_EQ(forwarded("Host: a\r\nExpect: 100-continue\r\n", "1.0"), "Host=a ");
}

TEST(ForwardFilter, FiltersResponsesTheSameWay) {
  const std::string_view bytes =
      "HTTP/1.1 200 OK\r\nConnection: X-Hop\r\nX-Hop: 1\r\nSet-Cookie: a\r\nContent-Length: 0\r\n"
      "Set-Cookie: b\r\nTrailer: X\r\n\r\n";
  ResponseParser parser(ResponseTo::kOther);
  ASSERT_TRUE(parser.parse(bytes));
  const ForwardFilter filter(parser.head());
  std::string kept;
  for (const Field& field : parser.head().fields) {
    if (filter.keeps(field)) kept.append(field.value);
  }
  EXPECT_EQ(kept, "ab");
}

TEST(ForwardFilter, FiltersFieldsOfAHook) {
  HeaderList fields;
  fields.add("transfer-encoding", "chunked");
  fields.add("x", "1");
  const ForwardFilter filter(fields);
  EXPECT_FALSE(filter.keeps(fields[0]));
  EXPECT_TRUE(filter.keeps(fields[1]));
}

TEST(HeadWriter, WritesExactBytes) {
  HeadWriter writer;
  writer.begin_request("POST", {"/a", "?b"});
  writer.field("Host", "h\xe9");
  writer.field("X-Forwarded-For", {"1.2.3.4", ", ", "::1"});
  writer.framing({BodyKind::kLength, 12});
  EXPECT_EQ(writer.finish(),
            "POST /a?b HTTP/1.1\r\nHost: h\xe9\r\nX-Forwarded-For: 1.2.3.4, ::1\r\n"
            "Content-Length: 12\r\n\r\n");
  writer.begin_response(StatusCode::kNotFound, "");
  writer.framing({BodyKind::kChunked, 0});
  EXPECT_EQ(writer.finish(), "HTTP/1.1 404 \r\nTransfer-Encoding: chunked\r\n\r\n");
  writer.begin_response(StatusCode::kNotModified, reason_phrase(StatusCode::kNotModified));
  writer.framing({});
  writer.content_length(UINT64_MAX);
  EXPECT_EQ(writer.finish(),
            "HTTP/1.1 304 Not Modified\r\nContent-Length: 18446744073709551615\r\n\r\n");
}

TEST(HeadWriterDeathTest, NeverWritesALineBreakThatItWasGiven) {
  HeadWriter writer;
  writer.begin_response(StatusCode::kOk, "OK");
  EXPECT_DEATH(writer.field("X", "a\r\nSet-Cookie: b"), "find_control");
  EXPECT_DEATH(writer.field("X\n", "a"), "find_control");
  EXPECT_DEATH(writer.field("X", std::string_view("\0", 1)), "find_control");
}

}  // namespace
}  // namespace gondolin::http
