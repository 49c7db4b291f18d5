// The body's length as the request's head states it: Content-Length and
// Transfer-Encoding in every contradictory or malformed form.
#include "harness/rejected.hpp"
#include "harness/wire_test.hpp"

namespace gondolin::wiretest {
namespace {

std::string with(std::string_view fields, std::string_view body = "hello") {
  return "POST / HTTP/1.1\r\nHost: localhost\r\n" + std::string(fields) + "\r\n" +
         std::string(body);
}

std::string length(std::string_view value) {
  return with("Content-Length:" + std::string(value) + "\r\n");
}

std::string coding(std::string_view value) {
  return with("Transfer-Encoding:" + std::string(value) + "\r\n", "5\r\nhello\r\n0\r\n\r\n");
}

const std::string kChunkedBody = "5\r\nhello\r\n0\r\n\r\n";

const std::vector<RejectedRow> kBadLengths = {
    {"DifferingContentLengthsAre400AndNothingReachesTheBackend",
     "RFC 9112 6.3; peers: differing duplicate Content-Length accepted",
     with("Content-Length: 5\r\nContent-Length: 6\r\n")},
    {"DifferingContentLengthsInOneListAre400", "RFC 9112 6.3", length(" 5, 6")},
    {"ContentLengthListWithAnEmptyMemberIs400", "RFC 9112 6.3", length(" 5, ")},
    {"ContentLengthListWithALeadingCommaIs400", "RFC 9112 6.3", length(" ,5")},
    {"ContentLengthListWithAWordIs400", "RFC 9112 6.3", length(" 5, five")},
    {"ContentLengthDifferingOnlyInALaterFieldIs400", "RFC 9112 6.3",
     with("Content-Length: 5\r\nX-Between: 1\r\ncontent-length: 50\r\n")},
    {"ThreeContentLengthsOfWhichOneDiffersAre400", "RFC 9112 6.3",
     with("Content-Length: 5\r\nContent-Length: 5\r\nContent-Length: 4\r\n")},
    {"SecondContentLengthThatIsMalformedIs400", "RFC 9112 6.3",
     with("Content-Length: 5\r\nContent-Length: x\r\n")},
    {"SecondContentLengthThatIsEmptyIs400", "RFC 9112 6.3",
     with("Content-Length: 5\r\nContent-Length:\r\n")},
    {"PlusSignInContentLengthIs400", "RFC 9110 8.6", length(" +5")},
    {"MinusSignInContentLengthIs400", "RFC 9110 8.6", length(" -5")},
    {"NegativeZeroContentLengthIs400", "RFC 9110 8.6", length(" -0")},
    {"HexadecimalContentLengthIs400", "RFC 9110 8.6", length(" 0x5")},
    {"HexDigitsInContentLengthAre400", "RFC 9110 8.6", length(" a")},
    {"ContentLengthWithAFractionIs400", "RFC 9110 8.6", length(" 5.0")},
    {"ContentLengthWithAnExponentIs400", "RFC 9110 8.6", length(" 5e0")},
    {"ContentLengthWithAnUnderscoreIs400", "RFC 9110 8.6", length(" 1_0")},
    {"ContentLengthOfTwoNumbersIs400", "RFC 9110 8.6", length(" 5 5")},
    {"ContentLengthWithATabInsideIs400", "RFC 9110 8.6", length(" 5\t5")},
    {"EmptyContentLengthIs400", "RFC 9110 8.6", length("")},
    {"BlankContentLengthIs400", "RFC 9110 8.6", length("   ")},
    {"ContentLengthWithASemicolonIs400", "RFC 9110 8.6", length(" 5;")},
    {"ContentLengthWithAParameterIs400", "RFC 9110 8.6", length(" 5;a=b")},
    {"ContentLengthInQuotesIs400", "RFC 9110 8.6", length(" \"5\"")},
    {"ContentLengthAsAWordIs400", "RFC 9110 8.6", length(" five")},
    {"ContentLengthInFullWidthDigitsIs400", "RFC 9110 8.6", length(" \xef\xbc\x95")},
    {"ContentLengthWithVerticalTabIs400", "RFC 9110 8.6", length(" 5\v")},
    {"ContentLengthWithFormFeedIs400", "RFC 9110 8.6", length(" \f5")},
    {"ContentLengthWithNoBreakSpaceIs400", "RFC 9110 8.6",
     length(" \xa0"
            "5")},
    {"ContentLengthBeyond64BitsIs400", "RFC 9112 6.3", length(" 18446744073709551616"), {400, 413}},
    {"ContentLengthThatWrapsToFiveIs400",
     "RFC 9110 8.6",
     length(" 18446744073709551621"),
     {400, 413}},
    {"ContentLengthThatWrapsIn32BitsTo5IsNotFive",
     "RFC 9110 8.6",
     length(" 1000000000000000000000000000005"),
     {400, 413}},
    {"ContentLengthOfAThousandDigitsIs400",
     "RFC 9110 8.6",
     length(" " + std::string(1000, '9')),
     {400, 413}},
    {"FoldedContentLengthIs400", "RFC 9112 5.2", length("\r\n 5")},
    {"SpaceBeforeTheColonOfContentLengthIs400", "RFC 9112 5.1", with("Content-Length : 5\r\n")},
    {"TabBeforeTheColonOfContentLengthIs400", "RFC 9112 5.1", with("Content-Length\t: 5\r\n")},
    {"NulInContentLengthIs400", "RFC 9110 5.5", length(" 5\0"s)},
    {"BareCarriageReturnInContentLengthIs400", "RFC 9112 2.2", length(" 5\r5")},
};

const std::vector<RejectedRow> kBadCodings = {
    {"TransferEncodingWithContentLengthIs400", "RFC 9112 6.1",
     with("Transfer-Encoding: chunked\r\nContent-Length: 5\r\n", kChunkedBody)},
    {"ContentLengthBeforeTransferEncodingIs400", "RFC 9112 6.1",
     with("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", kChunkedBody)},
    {"TransferEncodingWithContentLengthZeroIs400", "RFC 9112 6.1",
     with("Content-Length: 0\r\nTransfer-Encoding: chunked\r\n", kChunkedBody)},
    {"TransferEncodingWithMalformedContentLengthIs400", "RFC 9112 6.1",
     with("Content-Length: x\r\nTransfer-Encoding: chunked\r\n", kChunkedBody)},
    {"UnknownCodingBeforeChunkedIs501", "RFC 9112 6.1", coding(" gzip, chunked"), {501}},
    {"UnknownCodingInAFieldOfItsOwnIs501",
     "RFC 9112 6.1",
     with("Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n", kChunkedBody),
     {501}},
    {"CodingThatIsNotChunkedIsRefused", "RFC 9112 6.3", coding(" gzip"), {400, 501}},
    {"IdentityCodingIsRefused", "RFC 9112 6.1", coding(" identity"), {400, 501}},
    {"IdentityCodingWithContentLengthIsRefused",
     "RFC 9112 6.1",
     with("Transfer-Encoding: identity\r\nContent-Length: 5\r\n"),
     {400, 501}},
    {"ChunkedThenIdentityIsRefused", "RFC 9112 6.3", coding(" chunked, identity"), {400, 501}},
    {"ChunkedThenGzipIsRefused", "RFC 9112 6.3", coding(" chunked, gzip"), {400, 501}},
    {"ChunkedTwiceInOneFieldIs400", "RFC 9112 6.1", coding(" chunked, chunked")},
    {"ChunkedTwiceInTwoFieldsIs400", "RFC 9112 6.1",
     with("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", kChunkedBody)},
    {"ChunkedThenUnknownInTwoFieldsIsRefused",
     "RFC 9112 6.3",
     with("Transfer-Encoding: chunked\r\nTransfer-Encoding: cow\r\n", kChunkedBody),
     {400, 501}},
    {"XchunkedIsRefused", "RFC 9112 6.1", coding(" xchunked"), {400, 501}},
    {"ChunkedWithATailIsRefused", "RFC 9112 6.1", coding(" chunkedx"), {400, 501}},
    {"ChunkIsNotChunked", "RFC 9112 6.1", coding(" chunk"), {400, 501}},
    {"ChunkedInQuotesIsRefused", "RFC 9112 6.1", coding(" \"chunked\""), {400, 501}},
    {"ChunkedInSingleQuotesIsRefused", "RFC 9112 6.1", coding(" 'chunked'"), {400, 501}},
    {"ChunkedWithAParameterIsRefused", "RFC 9112 7.1", coding(" chunked;q=1"), {400, 501}},
    {"ChunkedWithASemicolonIsRefused", "RFC 9112 7.1", coding(" chunked;"), {400, 501}},
    {"ChunkedAfterASpaceInsteadOfACommaIsRefused",
     "RFC 9112 6.1",
     coding(" gzip chunked"),
     {400, 501}},
    {"ChunkedWithVerticalTabIs400", "RFC 9110 5.5", coding(" \vchunked"), {400, 501}},
    {"ChunkedWithFormFeedIs400", "RFC 9110 5.5", coding(" chunked\f"), {400, 501}},
    {"ChunkedWithNoBreakSpaceIsRefused",
     "RFC 9112 6.1",
     coding(" \xa0"
            "chunked"),
     {400, 501}},
    {"ChunkedWithNulIs400", "RFC 9110 5.5", coding(" chunked\0"s)},
    {"ChunkedWithControlByteIsRefused",
     "RFC 9110 5.5",
     coding(" \x01"
            "chunked"),
     {400, 501}},
    {"ChunkedWithDeleteIsRefused", "RFC 9110 5.5", coding(" chunked\x7f"), {400, 501}},
    {"ChunkedWithBareCarriageReturnIs400", "RFC 9112 2.2", coding(" chunked\r\rX: y")},
    {"EmptyTransferEncodingIsRefused", "RFC 9112 6.1", coding(""), {400, 501}},
    {"EmptyTransferEncodingWithContentLengthIsRefused",
     "RFC 9112 6.1",
     with("Transfer-Encoding:\r\nContent-Length: 5\r\n"),
     {400, 501}},
    {"SpaceBeforeTheColonOfTransferEncodingIs400", "RFC 9112 5.1",
     with("Transfer-Encoding : chunked\r\n", kChunkedBody)},
    {"SpaceBeforeTheNameTransferEncodingIs400", "RFC 9112 5.2",
     with("X: y\r\n Transfer-Encoding: chunked\r\n", kChunkedBody)},
    {"SpaceInsideTheNameTransferEncodingIs400", "RFC 9110 5.1",
     with("Transfer Encoding: chunked\r\n", kChunkedBody)},
    {"FoldedTransferEncodingIs400", "RFC 9112 5.2", coding("\r\n chunked")},
    {"FoldedTailOfTransferEncodingIs400", "RFC 9112 5.2", coding(" chunked\r\n , identity")},
    {"TransferEncodingFromAnHttp10ClientIs400", "RFC 9112 6.1",
     "POST / HTTP/1.0\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n" + kChunkedBody},
    {"TransferEncodingAndContentLengthFromAnHttp10ClientIs400", "RFC 9112 6.1",
     "POST / HTTP/1.0\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\nContent-Length: "
     "5\r\n\r\nhello"},
    {"TransferEncodingFromAnHttp10KeepAliveClientIs400", "RFC 9112 6.1",
     "POST / HTTP/1.0\r\nHost: localhost\r\nConnection: keep-alive\r\nTransfer-Encoding: "
     "chunked\r\n\r\n" +
         kChunkedBody},
    {"NulBeforeTransferEncodingIs400", "RFC 9110 5.1",
     with("\0Transfer-Encoding: chunked\r\n"s, kChunkedBody)},
    {"TransferEncodingOnAGetWithContentLengthIs400", "RFC 9112 6.1",
     "GET / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 4\r\nTransfer-Encoding: "
     "chunked\r\n\r\n0\r\n\r\n"},
};

// A body length that is stated oddly but unambiguously.
struct AcceptedLength {
  std::string name;
  std::string source;
  std::string request;
  std::string body;
};

// The backend reads exactly the body, framed in exactly one way; where the source
// leaves a refusal open, that is taken too.
enum class Refusal { kAllowed, kForbidden };

void expect_one_framing(const AcceptedLength& row, Refusal refusal) {
  Connection client = site().connect();
  client.send(row.request);
  std::optional<Connection> backend;
  ASSERT_TRUE(eventually([&] {
    backend = site().root.accept_pending();
    return backend || client.readable();
  }));
  if (!backend) {
    ASSERT_EQ(refusal, Refusal::kAllowed) << visible(client.receive_some());
    expect_error(client, {400, 501});
    return;
  }
  const Head arrived = receive_head(*backend);
  EXPECT_EQ(arrived.all("content-length").size() + arrived.all("transfer-encoding").size(), 1U);
  if (arrived.has("transfer-encoding")) {
    EXPECT_EQ(arrived.one("transfer-encoding"), "chunked");
    EXPECT_EQ(receive_chunked(*backend), row.body);
  } else {
    EXPECT_EQ(std::stoul(arrived.one("content-length")), row.body.size());
    EXPECT_EQ(backend->receive(row.body.size()), row.body);
  }
  backend->send(ok("done"));
  EXPECT_EQ(receive_response(client).body, "done");
}

const std::vector<AcceptedLength> kGoodLengths = {
    {"ContentLengthIsKept", "contract: Content-Length kept", length(" 5"), "hello"},
    {"ContentLengthWithoutSpaceIsRead", "RFC 9112 5.1", length("5"), "hello"},
    {"ContentLengthBetweenTabsIsRead", "RFC 9110 5.6.3", length("\t5\t "), "hello"},
    {"ContentLengthInCapitalsIsRead", "RFC 9110 5.1", with("CONTENT-LENGTH: 5\r\n"), "hello"},
    {"ContentLengthZeroIsKept", "RFC 9110 8.6", with("Content-Length: 0\r\n", ""), ""},
    {"LeadingZerosInContentLengthAreDigits", "RFC 9110 8.6", length(" 0005"), "hello"},
    {"ChunkedIsReframedAsChunked", "contract: chunked re-framed as chunked", coding(" chunked"),
     "hello"},
    {"ChunkedInCapitalsIsRead", "RFC 9112 7", coding(" CHUNKED"), "hello"},
    {"ChunkedInMixedCaseIsRead", "RFC 9112 7", coding(" Chunked"), "hello"},
    {"ChunkedBetweenTabsIsRead", "RFC 9110 5.6.3", coding("\tchunked\t"), "hello"},
    {"ChunkedWithoutSpaceIsRead", "RFC 9112 5.1", coding("chunked"), "hello"},
    {"TransferEncodingInCapitalsIsRead", "RFC 9110 5.1",
     with("TRANSFER-ENCODING: chunked\r\n", kChunkedBody), "hello"},
};

const std::vector<AcceptedLength> kDebatedLengths = {
    {"RepeatedEqualContentLengthsBecomeOne", "RFC 9110 8.6",
     with("Content-Length: 5\r\nContent-Length: 5\r\n"), "hello"},
    {"ListOfEqualContentLengthsBecomesOne", "RFC 9110 8.6", length(" 5, 5"), "hello"},
    {"EmptyMembersBeforeChunkedNeverUnframeTheBody", "RFC 9110 5.6.1.2", coding(" ,chunked"),
     "hello"},
    {"EmptyMembersAfterChunkedNeverUnframeTheBody", "RFC 9110 5.6.1.2", coding(" chunked,"),
     "hello"},
};

void expect_accepted(const AcceptedLength& row) {
  expect_one_framing(row, Refusal::kForbidden);
}
void expect_debated(const AcceptedLength& row) {
  expect_one_framing(row, Refusal::kAllowed);
}

WIRE_ROWS(RequestFraming, kBadLengths, expect_rejected);
WIRE_ROWS(RequestFraming, kBadCodings, expect_rejected);
WIRE_ROWS(RequestFraming, kGoodLengths, expect_accepted);
WIRE_ROWS(RequestFraming, kDebatedLengths, expect_debated);

WIRE_TEST(RequestFraming, PostWithoutAnyLengthHasNoBody, "RFC 9112 6.3") {
  Exchange x = exchange("POST / HTTP/1.1\r\nHost: localhost\r\n\r\n");
  EXPECT_FALSE(x.request.has("transfer-encoding"));
  x.backend.expect_silence(milliseconds(20));
  x.backend.send(ok("x"));
  EXPECT_EQ(receive_response(x.client).body, "x");
}

WIRE_TEST(RequestFraming, GetWithContentLengthCarriesItsBody, "RFC 9112 6") {
  Exchange x = exchange("GET / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3\r\n\r\nabc");
  EXPECT_EQ(x.request.one("content-length"), "3");
  x.backend.expect("abc");
  x.backend.send(ok("x"));
  EXPECT_EQ(receive_response(x.client).body, "x");
}

WIRE_TEST(RequestFraming, DeleteWithAChunkedBodyCarriesIt, "RFC 9112 6") {
  Exchange x = exchange(
      "DELETE / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n" + kChunkedBody);
  EXPECT_FALSE(x.request.has("content-length"));
  EXPECT_EQ(receive_chunked(x.backend), "hello");
  x.backend.send(ok("x"));
  EXPECT_EQ(receive_response(x.client).body, "x");
}

WIRE_TEST(RequestFraming, BytesBehindTheContentLengthAreTheNextRequest, "RFC 9112 6.3") {
  Exchange x = exchange(post("/first", "hello") + get("/second"));
  x.backend.expect("hello");
  x.backend.expect_silence(milliseconds(20));
  x.backend.send(ok("one"));
  EXPECT_EQ(receive_response(x.client).body, "one");
  Connection second = site().root.accept();
  EXPECT_EQ(receive_head(second).start_line, "GET /second HTTP/1.1");
  second.send(ok("two"));
  EXPECT_EQ(receive_response(x.client).body, "two");
}

WIRE_TEST(RequestFraming, BodyThatLooksLikeARequestIsABody, "RFC 9112 6") {
  const std::string body = get("/inside");
  Exchange x = exchange(post("/", body));
  x.backend.expect(body);
  x.backend.send(ok("x"));
  EXPECT_EQ(receive_response(x.client).body, "x");
  expect_only_marker_reaches_backends(site());
}

WIRE_TEST(RequestFraming, BinaryBodyArrivesByteForByte, "RFC 9110 6.4") {
  std::string body;
  for (int i = 0; i < 512; ++i)
    body += static_cast<char>(i & 255);
  Exchange x = exchange(post("/", body));
  x.backend.expect(body);
  x.backend.send(ok(body));
  EXPECT_EQ(receive_response(x.client).body, body);
}

WIRE_TEST(RequestFraming, BodySentByteByByteArrives, "RFC 9112 6") {
  Connection client = site().connect();
  EXPECT_EQ(client.drip(post("/slow", "hello")), post("/slow", "hello").size());
  Connection backend = site().root.accept();
  EXPECT_EQ(receive_head(backend).start_line, "POST /slow HTTP/1.1");
  backend.expect("hello");
  backend.send(ok("x"));
  EXPECT_EQ(receive_response(client).body, "x");
}

WIRE_TEST(RequestFraming, ClientThatEndsInsideItsBodyNeverLooksComplete, "RFC 9112 8") {
  Exchange x = exchange("POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\n\r\nhello");
  x.backend.expect("hello");
  x.client.close();
  EXPECT_EQ(x.backend.receive_rest().bytes, "");
}

WIRE_TEST(RequestFraming, ClientThatHalfClosesInsideItsBodyNeverLooksComplete, "RFC 9112 8") {
  Exchange x = exchange(post_chunked("/", "5\r\nhello\r\n"));
  x.client.finish();
  EXPECT_EQ(x.backend.receive_rest().bytes, "5\r\nhello\r\n");
  const auto rest = x.client.receive_rest();
  EXPECT_TRUE(rest.bytes.empty() || rest.bytes.starts_with("HTTP/1.1 400 ")) << rest.bytes;
}

}  // namespace
}  // namespace gondolin::wiretest
