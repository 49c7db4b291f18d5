// Chunked request bodies: every way to spell one right, and every way to spell
// one wrong.
#include "harness/rejected.hpp"
#include "harness/wire_test.hpp"

namespace gondolin::wiretest {
namespace {

const std::string kEnd = "0\r\n\r\n";

struct GoodChunkRow {
  std::string name;
  std::string source;
  std::string body;     // as sent
  std::string content;  // as decoded
};

enum class Pace { kAtOnce, kByteByByte };

void expect_content(const GoodChunkRow& row, Pace pace) {
  Connection client = site().connect();
  if (pace == Pace::kAtOnce) {
    client.send(post_chunked("/", row.body));
  } else {
    static_cast<void>(client.drip(post_chunked("/", row.body)));
  }
  Connection backend = site().root.accept();
  const Head arrived = receive_head(backend);
  EXPECT_EQ(arrived.one("transfer-encoding"), "chunked");
  EXPECT_FALSE(arrived.has("content-length"));
  EXPECT_EQ(receive_chunked(backend), row.content);
  backend.expect_silence(milliseconds(5));
  backend.send(ok("done"));
  EXPECT_EQ(receive_response(client).body, "done");
}

void expect_good_chunks(const GoodChunkRow& row) {
  expect_content(row, Pace::kAtOnce);
  expect_content(row, Pace::kByteByByte);
}

const std::vector<GoodChunkRow> kGood = {
    {"OneChunkArrives", "RFC 9112 7.1", "5\r\nhello\r\n" + kEnd, "hello"},
    {"SeveralChunksArriveJoined", "RFC 9112 7.1", "3\r\nhel\r\n2\r\nlo\r\n" + kEnd, "hello"},
    {"OnlyTheLastChunkIsAnEmptyBody", "RFC 9112 7.1", kEnd, ""},
    {"LowerCaseHexSizeIsRead", "RFC 9112 7.1", "a\r\n0123456789\r\n" + kEnd, "0123456789"},
    {"UpperCaseHexSizeIsRead", "RFC 9112 7.1", "A\r\n0123456789\r\n" + kEnd, "0123456789"},
    {"TwoDigitHexSizeIsRead", "RFC 9112 7.1", "1f\r\n" + std::string(31, 'x') + "\r\n" + kEnd,
     std::string(31, 'x')},
    {"LeadingZerosInASizeAreDigits", "RFC 9112 7.1", "00005\r\nhello\r\n" + kEnd, "hello"},
    {"LastChunkOfSeveralZerosEndsTheBody", "RFC 9112 7.1", "5\r\nhello\r\n000\r\n\r\n", "hello"},
    {"ExtensionWithoutValueIsIgnored", "RFC 9112 7.1.1", "5;a\r\nhello\r\n" + kEnd, "hello"},
    {"ExtensionWithValueIsIgnored", "RFC 9112 7.1.1", "5;a=b\r\nhello\r\n" + kEnd, "hello"},
    {"ExtensionWithQuotedValueIsIgnored", "RFC 9112 7.1.1", "5;a=\"b c\"\r\nhello\r\n" + kEnd,
     "hello"},
    {"QuotedSemicolonInAnExtensionIsIgnored", "RFC 9112 7.1.1", "5;a=\"b;c\"\r\nhello\r\n" + kEnd,
     "hello"},
    {"QuotedPairInAnExtensionIsIgnored", "RFC 9112 7.1.1", "5;a=\"\\\"\"\r\nhello\r\n" + kEnd,
     "hello"},
    {"SeveralExtensionsAreIgnored", "RFC 9112 7.1.1", "5;a=b;c;d=\"e\"\r\nhello\r\n" + kEnd,
     "hello"},
    {"ExtensionOfTheLastChunkIsIgnored", "RFC 9112 7.1.1", "5\r\nhello\r\n0;a=b\r\n\r\n", "hello"},
    {"TrailerFieldsEndTheBody", "RFC 9112 7.1.2", "5\r\nhello\r\n0\r\nX-Sum: 1\r\n\r\n", "hello"},
    {"SeveralTrailerFieldsEndTheBody", "RFC 9112 7.1.2",
     "5\r\nhello\r\n0\r\nX-A: 1\r\nX-B: 2\r\n\r\n", "hello"},
    {"LineEndsInsideAChunkAreContent", "RFC 9112 7.1", "6\r\n\r\n0\r\n\r\r\n" + kEnd,
     "\r\n0\r\n\r"},
    {"ChunkThatLooksLikeTheEndIsContent", "RFC 9112 7.1", "5\r\n0\r\n\r\n\r\n" + kEnd, kEnd},
    {"NulBytesInsideAChunkAreContent", "RFC 9112 7.1", "3\r\n\0\0\0\r\n"s + kEnd, "\0\0\0"s},
    {"ManySmallChunksArriveJoined", "RFC 9112 7.1",
     [] {
       std::string body;
       for (int i = 0; i < 300; ++i)
         body += "1\r\nx\r\n";
       return body + kEnd;
     }(),
     std::string(300, 'x')},
};

const std::vector<BadChunkRow> kBad = {
    {"ChunkSizeWithATailIs400", "peers: 5xyz accepted", "5xyz\r\nhello\r\n" + kEnd},
    {"ChunkSizeWith0xIs400", "peers: 0x5 accepted", "0x5\r\nhello\r\n" + kEnd},
    {"ChunkSizeWithCapital0XIs400", "RFC 9112 7.1", "0X5\r\nhello\r\n" + kEnd},
    {"ChunkSizeWithPlusIs400", "RFC 9112 7.1", "+5\r\nhello\r\n" + kEnd},
    {"ChunkSizeWithMinusIs400", "RFC 9112 7.1", "-5\r\nhello\r\n" + kEnd},
    {"ChunkSizeMinusZeroIs400", "RFC 9112 7.1", "-0\r\n\r\n"},
    {"SpaceBeforeAChunkSizeIs400", "RFC 9112 7.1", " 5\r\nhello\r\n" + kEnd},
    {"TabBeforeAChunkSizeIs400", "RFC 9112 7.1", "\t5\r\nhello\r\n" + kEnd},
    {"SpaceAfterAChunkSizeIs400", "RFC 9112 7.1", "5 \r\nhello\r\n" + kEnd},
    {"SpaceInsideAChunkSizeIs400", "RFC 9112 7.1", "0 5\r\nhello\r\n" + kEnd},
    {"EmptyChunkSizeIs400", "RFC 9112 7.1", "\r\nhello\r\n" + kEnd},
    {"ChunkSizeOfOnlyAnExtensionIs400", "RFC 9112 7.1", ";a=b\r\nhello\r\n" + kEnd},
    {"ChunkSizeThatIsNoHexDigitIs400", "RFC 9112 7.1", "g\r\nhello\r\n" + kEnd},
    {"ChunkSizeWithADotIs400", "RFC 9112 7.1", "5.0\r\nhello\r\n" + kEnd},
    {"ChunkSizeWithAnUnderscoreIs400", "RFC 9112 7.1", "0_5\r\nhello\r\n" + kEnd},
    {"ChunkSizeWithAnHIs400", "RFC 9112 7.1", "5h\r\nhello\r\n" + kEnd},
    {"ChunkSizeWithNulIs400", "RFC 9112 7.1", "5\0\r\nhello\r\n"s + kEnd},
    {"ChunkSizeInQuotesIs400", "RFC 9112 7.1", "\"5\"\r\nhello\r\n" + kEnd},
    {"ChunkSizeWithACommaIs400", "RFC 9112 7.1", "5,5\r\nhello\r\n" + kEnd},
    {"ChunkSizeInFullWidthDigitsIs400", "RFC 9112 7.1", "\xef\xbc\x95\r\nhello\r\n" + kEnd},
    {"ChunkSizeBeyond64BitsIs400",
     "RFC 9112 7.1",
     "10000000000000005\r\nhello\r\n" + kEnd,
     {400, 413}},
    {"ChunkSizeOfSeventeenFsIs400",
     "RFC 9112 7.1",
     "fffffffffffffffff\r\nhello\r\n" + kEnd,
     {400, 413}},
    {"ChunkSizeThatWrapsIn32BitsIsNotFive",
     "RFC 9112 7.1",
     "100000000000000000000000000000005\r\nhello\r\n" + kEnd,
     {400, 413}},
    {"ChunkSizeOfAThousandDigitsIsRefused",
     "RFC 9112 7.1",
     std::string(1000, 'f') + "\r\nhello\r\n" + kEnd,
     {400, 413}},
    {"BareLineFeedAfterAChunkSizeIs400", "RFC 9112 7.1", "5\nhello\r\n" + kEnd},
    {"BareCarriageReturnAfterAChunkSizeIs400", "RFC 9112 7.1", "5\rhello\r\n" + kEnd},
    {"BareLineFeedAfterAChunkIs400", "RFC 9112 7.1", "5\r\nhello\n" + kEnd},
    {"BareCarriageReturnAfterAChunkIs400", "RFC 9112 7.1", "5\r\nhello\r" + kEnd},
    {"ChunkLongerThanItsSizeIs400", "RFC 9112 7.1", "5\r\nhelloX\r\n" + kEnd},
    {"ChunkShorterThanItsSizeIs400", "RFC 9112 7.1", "6\r\nhello\r\n" + kEnd},
    {"ChunkWithoutLineEndIs400", "RFC 9112 7.1", "5\r\nhello" + kEnd},
    {"ChunkWithTwoBytesInPlaceOfTheLineEndIs400", "RFC 9112 7.1", "5\r\nhelloXX" + kEnd},
    {"ChunkWithTwoLineEndsIs400", "RFC 9112 7.1", "5\r\nhello\r\n\r\n" + kEnd},
    {"BareLineFeedInAnExtensionIs400", "peers: CVE-2025-55315", "5;a\nb\r\nhello\r\n" + kEnd},
    {"BareLineFeedAfterAnExtensionIs400", "peers: CVE-2025-55315", "5;a\nhello\r\n" + kEnd},
    {"BareCarriageReturnInAnExtensionIs400", "RFC 9112 7.1.1", "5;a\rb\r\nhello\r\n" + kEnd},
    {"QuotedLineFeedInAnExtensionIs400", "RFC 9112 7.1.1", "5;a=\"\n\"\r\nhello\r\n" + kEnd},
    {"QuotedLineEndInAnExtensionIs400", "RFC 9112 7.1.1", "5;a=\"\r\n\"\r\nhello\r\n" + kEnd},
    {"NulInAnExtensionIs400", "RFC 9112 7.1.1", "5;a\0b\r\nhello\r\n"s + kEnd},
    {"BareLineFeedAfterTheLastChunkIs400", "RFC 9112 7.1", "5\r\nhello\r\n0\n\r\n"},
    {"BareLineFeedAsTheLastLineIs400", "RFC 9112 7.1", "5\r\nhello\r\n0\r\n\n"},
    {"BareLineFeedAfterATrailerFieldIs400", "RFC 9112 7.1.2", "0\r\nX-A: b\n\r\n"},
    {"BareCarriageReturnInATrailerFieldIs400", "RFC 9112 7.1.2", "0\r\nX-A: b\rc\r\n\r\n"},
    {"TrailerFieldWithoutColonIs400", "RFC 9112 7.1.2", "0\r\nnonsense\r\n\r\n"},
    {"TrailerFieldWithSpaceBeforeTheColonIs400", "RFC 9112 5.1", "0\r\nX-A : b\r\n\r\n"},
    {"TrailerFieldWithAnEmptyNameIs400", "RFC 9112 5", "0\r\n: b\r\n\r\n"},
    {"TrailerFieldWithNulIs400", "RFC 9110 5.5", "0\r\nX-A: \0\r\n\r\n"s},
    {"FoldedTrailerFieldIs400", "RFC 9112 5.2", "0\r\nX-A: b\r\n c\r\n\r\n"},
    {"BytesAfterTheLastChunkSizeAre400", "RFC 9112 7.1", "5\r\nhello\r\n0x\r\n\r\n"},
    {"ExtensionOf100000BytesIsRefused",
     "RFC 9112 7.1.1",
     "5;" + std::string(100'000, 'a') + "\r\nhello\r\n" + kEnd,
     {400, 413, 431}},
    {"TrailerSectionOf100000BytesIsRefused",
     "RFC 9112 7.1.2",
     "0\r\nX-A: " + std::string(100'000, 'a') + "\r\n\r\n",
     {400, 413, 431}},
    {"TrailerSectionOf1000FieldsIsRefused",
     "RFC 9112 7.1.2",
     [] {
       std::string body = "0\r\n";
       for (int i = 0; i < 1000; ++i)
         body += "X-" + std::to_string(i) + ": b\r\n";
       return body + "\r\n";
     }(),
     {400, 413, 431}},
};

WIRE_ROWS(ChunkedRequest, kGood, expect_good_chunks);
WIRE_ROWS(ChunkedRequest, kBad, expect_bad_chunk);

WIRE_TEST(ChunkedRequest, FloodOfExtensionsIsRefused, "RFC 9112 7.1.1") {
  Exchange x = exchange(post_chunked("/", "1\r\nx\r\n"));
  std::string flood;
  const std::string chunk = "1;" + std::string(2000, 'e') + "\r\nx\r\n";
  for (int i = 0; i < 500; ++i)
    flood += chunk;
  static_cast<void>(x.client.send_until_stalled(flood, milliseconds(200)));
  expect_error(x.client, {400, 413, 431});
  const std::string rest = x.backend.receive_rest().bytes;
  EXPECT_FALSE(rest.ends_with("\r\n0\r\n\r\n"));
}

WIRE_TEST(ChunkedRequest, TrailerCannotAddAFramingField, "RFC 9110 6.5.1") {
  Exchange x = exchange(post_chunked("/",
                                     "2\r\nab\r\n0\r\nContent-Length: 50\r\n"
                                     "Transfer-Encoding: gzip\r\nHost: evil\r\n\r\n") +
                        get("/next"));
  EXPECT_EQ(x.backend.receive_until("\r\n\r\n"), "2\r\nab\r\n0\r\n\r\n");
  x.backend.expect_silence(milliseconds(10));
  x.backend.send(ok("one"));
  EXPECT_EQ(receive_response(x.client).body, "one");
  Connection next = site().root.accept();
  EXPECT_EQ(receive_head(next).start_line, "GET /next HTTP/1.1");
  next.send(ok("two"));
  EXPECT_EQ(receive_response(x.client).body, "two");
}

WIRE_TEST(ChunkedRequest, MegabyteChunkArrivesWhole, "RFC 9112 7.1") {
  const std::string content(1 << 20, 'm');
  Exchange x = exchange(post_chunked("/", "1\r\n>\r\n"));
  EXPECT_EQ(x.backend.receive_until("\r\n>\r\n"), "1\r\n>\r\n");
  std::string body = "100000\r\n" + content + "\r\n" + kEnd;
  std::string received;
  std::size_t sent = 0;
  while (sent < body.size()) {
    sent += x.client.send_until_stalled(std::string_view(body).substr(sent), milliseconds(5));
    if (x.backend.readable()) received += x.backend.receive_some();
  }
  while (!received.ends_with("\r\n" + kEnd))
    received += x.backend.receive_some();
  EXPECT_EQ(std::count(received.begin(), received.end(), 'm'), 1 << 20);
  x.backend.send(ok("x"));
  EXPECT_EQ(receive_response(x.client).body, "x");
}

WIRE_TEST(ChunkedRequest, ChunkReachesTheBackendBeforeTheNextIsSent, "contract: streamed at once") {
  Exchange x = exchange(post_chunked("/", ""));
  for (const std::string_view chunk : {"1\r\na\r\n", "2\r\nbc\r\n", "3\r\ndef\r\n"}) {
    x.client.send(chunk);
    x.backend.expect(chunk);
  }
  x.client.send(kEnd);
  x.backend.expect(kEnd);
  x.backend.send(ok("x"));
  EXPECT_EQ(receive_response(x.client).body, "x");
}

WIRE_TEST(ChunkedRequest, HalfAChunkReachesTheBackendBeforeItsOtherHalf,
          "contract: streamed at once") {
  Exchange x = exchange(post_chunked("/", "a\r\n01234"));
  std::string content;
  while (content.find("01234") == std::string::npos)
    content += x.backend.receive_some();
  x.client.send("56789\r\n" + kEnd);
  while (!content.ends_with("\r\n" + kEnd))
    content += x.backend.receive_some();
  x.backend.send(ok("x"));
  EXPECT_EQ(receive_response(x.client).body, "x");
}

WIRE_TEST(ChunkedRequest, RequestBehindTheBodyIsTheNextOne, "RFC 9112 9.3.2") {
  Exchange x = exchange(post_chunked("/", "1\r\na\r\n0\r\nX-T: 1\r\n\r\n") + get("/second"));
  EXPECT_EQ(receive_chunked(x.backend), "a");
  x.backend.send(ok("one"));
  EXPECT_EQ(receive_response(x.client).body, "one");
  Connection second = site().root.accept();
  EXPECT_EQ(receive_head(second).start_line, "GET /second HTTP/1.1");
  second.send(ok("two"));
  EXPECT_EQ(receive_response(x.client).body, "two");
}

WIRE_TEST(ChunkedRequest, BodyWithoutItsLastLineNeverLooksComplete, "RFC 9112 8") {
  for (const std::string_view body : {"5\r\nhello\r\n0\r\n", "5\r\nhello\r\n0", "5\r\nhello\r\n",
                                      "5\r\nhel", "5\r\n", "5", "5\r\nhello\r\n0\r\nX-A: b\r\n"}) {
    Exchange x = exchange(post_chunked("/", body));
    x.client.close();
    EXPECT_FALSE(x.backend.receive_rest().bytes.ends_with("0\r\n\r\n")) << visible(body);
  }
}

}  // namespace
}  // namespace gondolin::wiretest
