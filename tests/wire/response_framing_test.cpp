// The backend's answer: every right framing arrives whole, every wrong one is a
// 502 or an aborted connection, never a message that looks complete.
#include "harness/wire_test.hpp"

namespace gondolin::wiretest {
namespace {

// A backend's exact answer, after which it closes, and what the client must get.
struct GoodRow {
  std::string name;
  std::string source;
  std::string answer;
  int status = 200;
  std::string body;
};

enum class Pace { kAtOnce, kByteByByte };

void answer_with(Exchange& x, std::string_view bytes, Pace pace) {
  if (pace == Pace::kAtOnce) {
    x.backend.send(bytes);
  } else {
    static_cast<void>(x.backend.drip(bytes));
  }
}

void expect_good(const GoodRow& row) {
  for (const Pace pace : {Pace::kAtOnce, Pace::kByteByByte}) {
    Exchange x = exchange(get("/"));
    answer_with(x, row.answer, pace);
    x.backend.close();
    const Response response = receive_response(x.client);
    EXPECT_EQ(response.status, row.status);
    EXPECT_EQ(response.body, row.body);
    x.client.send(get("/closed"));
    EXPECT_EQ(receive_response(x.client).status, 502) << "the connection must stay usable";
  }
}

const std::string kHead = "HTTP/1.1 200 OK\r\n";
const std::string kChunked = kHead + "Transfer-Encoding: chunked\r\n\r\n";

std::string length(std::string_view value, std::string_view body = "hello") {
  return kHead + "Content-Length:" + std::string(value) + "\r\n\r\n" + std::string(body);
}

const std::vector<GoodRow> kGood = {
    {"ContentLengthBodyArrives", "RFC 9112 6.3", length(" 5"), 200, "hello"},
    {"ContentLengthZeroArrives", "RFC 9112 6.3", length(" 0", ""), 200, ""},
    {"BytesBehindTheContentLengthAreDropped", "RFC 9112 6.3",
     length(" 5", "helloHTTP/1.1 200 OK\r\n"), 200, "hello"},
    {"ChunkedBodyArrives", "RFC 9112 7.1", kChunked + "5\r\nhello\r\n0\r\n\r\n", 200, "hello"},
    {"ChunkedInCapitalsArrives", "RFC 9112 7",
     kHead + "TRANSFER-ENCODING: Chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n", 200, "hello"},
    {"EmptyChunkedBodyArrives", "RFC 9112 7.1", kChunked + "0\r\n\r\n", 200, ""},
    {"ChunkExtensionsAreIgnored", "RFC 9112 7.1.1",
     kChunked + "5;a=\"b;c\"\r\nhello\r\n0;x\r\n\r\n", 200, "hello"},
    {"TrailerFieldsEndTheBody", "RFC 9112 7.1.2", kChunked + "5\r\nhello\r\n0\r\nX-A: b\r\n\r\n",
     200, "hello"},
    {"BytesBehindTheLastChunkAreDropped", "RFC 9112 6.3",
     kChunked + "5\r\nhello\r\n0\r\n\r\nHTTP/1.1 200 OK\r\n", 200, "hello"},
    {"BodyToTheEndOfTheStreamArrives", "RFC 9112 6.3", kHead + "\r\nhello", 200, "hello"},
    {"EmptyBodyToTheEndOfTheStreamArrives", "RFC 9112 6.3", kHead + "\r\n", 200, ""},
    {"Http10AnswerWithLengthArrives", "RFC 9112 2.3",
     "HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\nhello", 200, "hello"},
    {"Http10AnswerToTheEndArrives", "RFC 9112 2.3", "HTTP/1.0 200 OK\r\n\r\nhello", 200, "hello"},
    {"NotFoundArrives", "RFC 9110 15.5.5",
     "HTTP/1.1 404 Not Found\r\nContent-Length: 4\r\n\r\ngone", 404, "gone"},
    {"ServerErrorArrives", "RFC 9110 15.6", "HTTP/1.1 500 Oops\r\nContent-Length: 4\r\n\r\noops",
     500, "oops"},
    {"RedirectArrives", "RFC 9110 15.4",
     "HTTP/1.1 302 Found\r\nLocation: http://localhost/x\r\nContent-Length: 0\r\n\r\n", 302, ""},
    {"PartialContentArrives", "RFC 9110 15.3.7",
     "HTTP/1.1 206 Partial Content\r\nContent-Range: bytes 0-1/5\r\nContent-Length: 2\r\n\r\nhe",
     206, "he"},
    {"ResetContentArrives", "RFC 9110 15.3.6",
     "HTTP/1.1 205 Reset Content\r\nContent-Length: 0\r\n\r\n", 205, ""},
    {"UnregisteredStatusArrives", "RFC 9110 15", "HTTP/1.1 299 Odd\r\nContent-Length: 1\r\n\r\nx",
     299, "x"},
    {"TeapotArrives", "RFC 9110 15.5.19", "HTTP/1.1 418 I'm a teapot\r\nContent-Length: 1\r\n\r\nx",
     418, "x"},
    {"EmptyReasonArrives", "RFC 9112 4", "HTTP/1.1 200 \r\nContent-Length: 1\r\n\r\nx", 200, "x"},
    {"ReasonWithHighBytesArrives", "RFC 9112 4",
     "HTTP/1.1 200 Gr\xc3\xbc\xc3\x9f\xe9\r\nContent-Length: 1\r\n\r\nx", 200, "x"},
    {"NoContentHasNoBody", "RFC 9112 6.3", "HTTP/1.1 204 No Content\r\n\r\n", 204, ""},
    {"BytesBehindNoContentAreDropped", "RFC 9112 6.3",
     "HTTP/1.1 204 No Content\r\n\r\nHTTP/1.1 200 O", 204, ""},
    {"NotModifiedHasNoBody", "RFC 9112 6.3", "HTTP/1.1 304 Not Modified\r\nETag: \"x\"\r\n\r\n",
     304, ""},
    {"NotModifiedWithContentLengthHasNoBody", "peers: 304 with Content-Length: empty reply",
     "HTTP/1.1 304 Not Modified\r\nContent-Length: 1234\r\nETag: \"x\"\r\n\r\n", 304, ""},
    {"NotModifiedWithChunkedHasNoBody", "RFC 9112 6.1",
     "HTTP/1.1 304 Not Modified\r\nTransfer-Encoding: chunked\r\n\r\n", 304, ""},
    {"LeadingZerosInTheLengthAreDigits", "RFC 9110 8.6", length(" 0005"), 200, "hello"},
    {"ManySmallChunksArriveJoined", "RFC 9112 7.1",
     [] {
       std::string body = kChunked;
       for (int i = 0; i < 300; ++i)
         body += "1\r\nx\r\n";
       return body + "0\r\n\r\n";
     }(),
     200, std::string(300, 'x')},
    {"BodyThatLooksLikeAChunkEndArrives", "RFC 9112 7.1", kChunked + "5\r\n0\r\n\r\n\r\n0\r\n\r\n",
     200, "0\r\n\r\n"},
};

// An answer that cannot be a response: 502.
struct GarbageRow {
  std::string name;
  std::string source;
  std::string answer;
};

const std::string kBadGateway = "contract: 502, garbage before a response";

const std::vector<GarbageRow> kGarbage = {
    {"SilenceThenCloseIs502", "contract: 502, backend closed before a response", ""},
    {"HalfAHeadThenCloseIs502", kBadGateway, "HTTP/1.1 200 OK\r\nContent-Le"},
    {"HeadWithoutItsEmptyLineIs502", kBadGateway, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n"},
    {"StatusLineAloneIs502", kBadGateway, "HTTP/1.1 200 OK\r\n"},
    {"HtmlWithoutAHeadIs502", kBadGateway, "<html>hello</html>\r\n\r\n"},
    {"SshBannerIs502", kBadGateway, "SSH-2.0-OpenSSH_9.2\r\n"},
    {"TlsAlertIs502", kBadGateway, "\x15\x03\x01\x00\x02\x02\x46"s},
    {"RequestAsAnAnswerIs502", kBadGateway, "GET / HTTP/1.1\r\nHost: x\r\n\r\n"},
    {"Http2AnswerIs502", kBadGateway, "HTTP/2 200\r\nContent-Length: 0\r\n\r\n"},
    {"Http20VersionIs502", kBadGateway, "HTTP/2.0 200 OK\r\nContent-Length: 0\r\n\r\n"},
    {"Http2SettingsFrameIs502", kBadGateway, "\x00\x00\x06\x04\x00\x00\x00\x00\x00"s},
    {"LowerCaseHttpIs502", "RFC 9112 2.3", "http/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"},
    {"VersionWithTwoDigitsIs502", "RFC 9112 2.3", "HTTP/1.10 200 OK\r\nContent-Length: 0\r\n\r\n"},
    {"StatusOfTwoDigitsIs502", "RFC 9112 4", "HTTP/1.1 20 OK\r\nContent-Length: 0\r\n\r\n"},
    {"StatusOfFourDigitsIs502", "RFC 9112 4", "HTTP/1.1 2000 OK\r\nContent-Length: 0\r\n\r\n"},
    {"StatusInLettersIs502", "RFC 9112 4", "HTTP/1.1 2xx OK\r\nContent-Length: 0\r\n\r\n"},
    {"NegativeStatusIs502", "RFC 9112 4", "HTTP/1.1 -20 OK\r\nContent-Length: 0\r\n\r\n"},
    {"StatusBelow100Is502", "RFC 9110 15", "HTTP/1.1 099 OK\r\nContent-Length: 0\r\n\r\n"},
    {"TwoSpacesBeforeTheStatusAre502", "RFC 9112 4",
     "HTTP/1.1  200 OK\r\nContent-Length: 0\r\n\r\n"},
    {"NulInTheReasonIs502", "RFC 9112 4", "HTTP/1.1 200 O\0K\r\nContent-Length: 0\r\n\r\n"s},
    {"BareCarriageReturnInTheReasonIs502", "RFC 9112 2.2",
     "HTTP/1.1 200 O\rK\r\nContent-Length: 0\r\n\r\n"},
    {"DifferingContentLengthsAre502",
     "RFC 9112 6.3; peers: differing duplicate Content-Length accepted",
     kHead + "Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello!"},
    {"DifferingContentLengthsInAListAre502", "RFC 9112 6.3", length(" 5, 6")},
    {"ContentLengthWithASignIs502", "RFC 9112 6.3", length(" +5")},
    {"NegativeContentLengthIs502", "RFC 9112 6.3", length(" -1")},
    {"HexContentLengthIs502", "RFC 9112 6.3", length(" 0x5")},
    {"EmptyContentLengthIs502", "RFC 9112 6.3", length("")},
    {"ContentLengthAsAWordIs502", "RFC 9112 6.3", length(" five")},
    {"ContentLengthWithSpaceInsideIs502", "RFC 9112 6.3", length(" 5 5")},
    {"ContentLengthBeyond64BitsIs502", "RFC 9112 6.3", length(" 18446744073709551621")},
    {"ContentLengthWithTransferEncodingIs502", "contract: conflicting framing: 502",
     kHead + "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"},
    {"UnknownCodingIs502", "RFC 9112 6.1",
     kHead + "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n"},
    {"CodingThatIsNotChunkedIs502", "RFC 9112 6.1", kHead + "Transfer-Encoding: gzip\r\n\r\nhello"},
    {"ChunkedThenAnotherCodingIs502", "RFC 9112 6.3",
     kHead + "Transfer-Encoding: chunked, gzip\r\n\r\n0\r\n\r\n"},
    {"ChunkedTwiceIs502", "RFC 9112 6.1",
     kHead + "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"},
    {"XchunkedIs502", "RFC 9112 6.1", kHead + "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n"},
    {"TransferEncodingInAnHttp10AnswerIs502", "RFC 9112 6.1",
     "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"},
    {"FieldWithoutColonIs502", "RFC 9112 5", kHead + "nonsense\r\nContent-Length: 0\r\n\r\n"},
    {"FieldWithEmptyNameIs502", "RFC 9112 5", kHead + ": x\r\nContent-Length: 0\r\n\r\n"},
    {"NameWithASpaceIs502", "RFC 9110 5.1", kHead + "X A: b\r\nContent-Length: 0\r\n\r\n"},
    {"NameWithAHighByteIs502", "RFC 9110 5.1", kHead + "X\xe9: b\r\nContent-Length: 0\r\n\r\n"},
    {"NulInAValueIs502", "RFC 9110 5.5", kHead + "X-A: b\0c\r\nContent-Length: 0\r\n\r\n"s},
    {"BareCarriageReturnInAValueIs502", "RFC 9110 5.5",
     kHead + "X-A: b\rContent-Length: 9\r\nContent-Length: 0\r\n\r\n"},
    {"SpaceBeforeTheFirstFieldIs502", "RFC 9112 2.2",
     kHead + " X-A: b\r\nContent-Length: 0\r\n\r\n"},
    {"HeadOf100000BytesIs502", "contract: header bytes 64 KiB",
     kHead + "X-A: " + std::string(100'000, 'v') + "\r\nContent-Length: 0\r\n\r\n"},
    {"HeadWithoutEndIs502", "contract: header bytes 64 KiB",
     kHead + "X-A: " + std::string(200'000, 'v')},
    {"SwitchingProtocolsWithoutAnUpgradeIs502", "contract: a 101 is passed only for an upgrade",
     "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n"},
    {"InterimAnswerThenCloseIs502", "contract: 502, backend closed before a response",
     "HTTP/1.1 100 Continue\r\n\r\n"},
};

// The client's next final response, past interim ones.
Response final_response(Connection& client) {
  for (;;) {
    Response response = receive_any_response(client);
    if (response.status >= 200) return response;
  }
}

void expect_bad_gateway(const GarbageRow& row) {
  for (const Pace pace : {Pace::kAtOnce, Pace::kByteByByte}) {
    if (pace == Pace::kByteByByte && row.answer.size() > 5000) continue;
    SCOPED_TRACE(visible(row.answer));
    Exchange x = exchange(get("/"));
    if (row.answer.size() > 5000) {
      static_cast<void>(x.backend.send_until_stalled(row.answer, milliseconds(100)));
    } else {
      answer_with(x, row.answer, pace);
    }
    x.backend.close();
    const Response response = final_response(x.client);
    EXPECT_EQ(response.status, 502);
    EXPECT_EQ(response.body, "bad gateway\n");
  }
}

// A body that breaks off or breaks the grammar.
struct BrokenRow {
  std::string name;
  std::string source;
  std::string answer;
};

const std::string kAbort = "contract: a backend that breaks off must never look complete";

const std::vector<BrokenRow> kBroken = {
    {"BodyShorterThanItsLengthIsAborted", kAbort, length(" 6")},
    {"NoBodyForItsLengthIsAborted", kAbort, length(" 6", "")},
    {"ChunkedBodyWithoutItsEndIsAborted", kAbort, kChunked + "5\r\nhello\r\n"},
    {"ChunkedBodyWithoutItsLastLineIsAborted", kAbort, kChunked + "5\r\nhello\r\n0\r\n"},
    {"ChunkedBodyWithHalfItsLastLineIsAborted", kAbort, kChunked + "5\r\nhello\r\n0\r\n\r"},
    {"HalfAChunkIsAborted", kAbort, kChunked + "5\r\nhel"},
    {"HalfAChunkSizeIsAborted", kAbort, kChunked + "5\r\nhello\r\n1"},
    {"NoChunkAtAllIsAborted", kAbort, kChunked},
    {"HalfATrailerIsAborted", kAbort, kChunked + "5\r\nhello\r\n0\r\nX-A: b"},
    {"ChunkSizeWithATailIsAborted", "peers: 5xyz accepted",
     kChunked + "5xyz\r\nhello\r\n0\r\n\r\n"},
    {"ChunkSizeWith0xIsAborted", "peers: 0x5 accepted", kChunked + "0x5\r\nhello\r\n0\r\n\r\n"},
    {"EmptyChunkSizeIsAborted", "RFC 9112 7.1", kChunked + "\r\nhello\r\n0\r\n\r\n"},
    {"NegativeChunkSizeIsAborted", "RFC 9112 7.1", kChunked + "-5\r\nhello\r\n0\r\n\r\n"},
    {"ChunkSizeBeyond64BitsIsAborted", "RFC 9112 7.1",
     kChunked + "10000000000000005\r\nhello\r\n0\r\n\r\n"},
    {"ChunkLongerThanItsSizeIsAborted", "RFC 9112 7.1", kChunked + "4\r\nhello\r\n0\r\n\r\n"},
    {"ChunkWithoutLineEndIsAborted", "RFC 9112 7.1", kChunked + "5\r\nhello0\r\n\r\n"},
    {"BareLineFeedAfterAChunkSizeIsAborted", "RFC 9112 7.1", kChunked + "5\nhello\r\n0\r\n\r\n"},
    {"BareLineFeedAfterAChunkIsAborted", "RFC 9112 7.1", kChunked + "5\r\nhello\n0\r\n\r\n"},
    {"BareLineFeedInAChunkExtensionIsAborted", "RFC 9112 7.1.1",
     kChunked + "5;a\nb\r\nhello\r\n0\r\n\r\n"},
    {"SpaceBeforeAChunkSizeIsAborted", "RFC 9112 7.1", kChunked + " 5\r\nhello\r\n0\r\n\r\n"},
    {"MalformedTrailerIsAborted", "RFC 9112 7.1.2", kChunked + "5\r\nhello\r\n0\r\nX A: b\r\n\r\n"},
    {"PlainBodyDeclaredAsChunkedIsAborted", "RFC 9112 7.1", kChunked + "hello world\r\n"},
};

void expect_broken(const BrokenRow& row) {
  for (const Pace pace : {Pace::kAtOnce, Pace::kByteByByte}) {
    SCOPED_TRACE(visible(row.answer));
    Exchange x = exchange(get("/"));
    answer_with(x, row.answer, pace);
    x.backend.close();
    const Response response = receive_any_response(x.client);
    EXPECT_TRUE(response.status == 502 || response.completeness == Completeness::kTruncated)
        << "complete: " << visible(response.body);
  }
}

WIRE_ROWS(ResponseFraming, kGood, expect_good);

WIRE_TEST(ResponseFraming, FinalChunkSplitAnywhereIsComplete,
          "peers: final chunk split over packets: aborted") {
  const std::string end = "0\r\n\r\n";
  for (std::size_t split = 1; split < end.size(); ++split) {
    Exchange x = exchange(get("/"));
    x.backend.send(kChunked + "5\r\nhello\r\n" + end.substr(0, split));
    static_cast<void>(receive_head(x.client));
    x.client.expect("5\r\nhello\r\n");
    x.backend.send(end.substr(split));
    x.client.expect("0\r\n\r\n");
    x.client.send(get("/closed"));
    EXPECT_EQ(receive_response(x.client).status, 502) << "the connection must stay usable";
  }
}
WIRE_ROWS(BadResponse, kGarbage, expect_bad_gateway);
WIRE_ROWS(BrokenResponse, kBroken, expect_broken);

}  // namespace
}  // namespace gondolin::wiretest
