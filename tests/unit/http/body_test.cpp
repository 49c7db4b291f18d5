// Bodies: the chunked grammar (RFC 9112 7.1) and where each framing ends.
#include "http/body.hpp"

#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "unit/http/outcome.hpp"

namespace gondolin::http {
namespace {

using testing::body_outcome;
using testing::kWhole;

std::string chunked(std::string_view bytes, std::size_t step = kWhole, const Limits& limits = {}) {
  return body_outcome(bytes, {BodyKind::kChunked, 0}, step, limits);
}

bool refused(std::string_view bytes, const Limits& limits = {}) {
  const std::string whole = chunked(bytes, kWhole, limits);
  EXPECT_EQ(chunked(bytes, 1, limits), whole);
  return whole.find("|rejected 400") != std::string::npos;
}

TEST(ChunkedDecoder, JoinsThePayloadAndLeavesTheNextMessage) {
  EXPECT_EQ(chunked("5\r\nhello\r\n1\r\n,\r\n0\r\n\r\nGET /"), "hello,|complete, left 5");
  EXPECT_EQ(chunked("0\r\n\r\n"), "|complete, left 0");
  EXPECT_EQ(chunked("00000\r\n\r\n"), "|complete, left 0");
  EXPECT_EQ(chunked("A\r\n0123456789\r\n0a\r\n0123456789\r\n0\r\n\r\n"),
            "01234567890123456789|complete, left 0");
  EXPECT_EQ(chunked("4\r\n\r\n\0\xff\r\n0\r\n\r\n").substr(0, 2), "\r\n") << "payload is any bytes";
}

TEST(ChunkedDecoder, GivesTheSameResultWhereverTheBytesAreSplit) {
  const std::vector<std::string> bodies = {
      "5;a=b;c=\"d\\\"e\" ; f\r\nhello\r\n0;x\r\nTrailer: v\r\nB:\r\n\r\nnext",
      "10\r\n0123456789abcdef\r\n0\r\n\r\n",
      "5\r\nhello\n0\r\n\r\n",
      "5\r\nhelloX",
      "g\r\n",
  };
  for (const std::string& body : bodies) {
    for (std::size_t step = 1; step < body.size(); ++step) {
      EXPECT_EQ(chunked(body, step), chunked(body)) << step << "\n" << body;
    }
  }
}

TEST(ChunkedDecoder, GivesPayloadInPlace) {
  const std::string bytes = "3\r\nabc\r\n";
  ChunkedDecoder decoder;
  const auto step = decoder.next(bytes);
  ASSERT_TRUE(step);
  EXPECT_EQ(step->payload.data(), bytes.data() + 3);
  EXPECT_EQ(step->consumed, 6U);
}

TEST(ChunkedDecoder, RefusesSizesThatAreNotPlainHexadecimal) {
  for (std::string_view size : {"",
                                "g",
                                "0x5",
                                "5xyz",
                                "+5",
                                "-5",
                                " 5",
                                "5 ",
                                "5\t",
                                "\t5",
                                "5 5",
                                "5,",
                                "5.0",
                                "00000000000000005",
                                "fffffffffffffffff",
                                "ffffffffffffffff",
                                "8000000000000000",
                                "5\x01",
                                "5\x0b",
                                "\xef\xbc\x95"}) {
    EXPECT_TRUE(refused(std::string(size) + "\r\nhello\r\n0\r\n\r\n")) << size;
  }
  EXPECT_TRUE(refused(std::string("5\0\r\nhello\r\n0\r\n\r\n", 16)));
  EXPECT_EQ(chunked("0000000000000005\r\nhello\r\n0\r\n\r\n"), "hello|complete, left 0");
  EXPECT_EQ(chunked("7fffffffffffffff\r\nhello"), "hello|need more, left 0");
}

TEST(ChunkedDecoder, RefusesEveryLineEndButCrlf) {
  for (std::string_view body :
       {"5\nhello\r\n0\r\n\r\n", "5\rhello\r\n0\r\n\r\n", "5\r\r\nhello", "5\r\nhello\n0\r\n\r\n",
        "5\r\nhello\r0\r\n\r\n", "5\r\nhello0\r\n\r\n", "5\r\nhello!\r\n0\r\n\r\n",
        "5;a\nhello\r\n0\r\n\r\n", "5;a\rhello", "5;a=\"\n\"\r\nhello", "5;a=\"\r\n\"\r\nhello",
        "0\n\r\n", "0\r\n\n", "0\r\n\rX", "0\r\nA: b\n\r\n", "0\r\nA: b\rX\r\n\r\n",
        "0\r\nA: b\r\n\n", "\r\n5\r\nhello"}) {
    EXPECT_TRUE(refused(body)) << body;
  }
}

TEST(ChunkedDecoder, ChecksTheGrammarOfExtensions) {
  for (std::string_view ext : {";a", ";a=b", ";a;b;c=d", " ;a", "\t; a = b ; c", ";a=\"x;y=z\"",
                               ";a=\"\\\"\\\\ \xff\"", ";a=\"\"", ";a=\"b\" ;c"}) {
    EXPECT_EQ(chunked("2" + std::string(ext) + "\r\nok\r\n0\r\n\r\n"), "ok|complete, left 0")
        << ext;
  }
  for (std::string_view ext :
       {";",         ";;",    ";a;",  ";a=",    ";=b",         "; ",
        ";a ",       ";a=b ", ";a b", ";a=b c", ";a=\"b",      ";a=\"b\"c",
        ";a=b\"c\"", ";a==b", ";(",   ";a=(",   ";a=\"\x01\"", ";a=\"\\\x01\"",
        ";a\x01",    ";\xff", " a",   "=b"}) {
    EXPECT_TRUE(refused("2" + std::string(ext) + "\r\nok\r\n0\r\n\r\n")) << ext;
  }
}

TEST(ChunkedDecoder, RefusesAFloodOfExtensions) {
  EXPECT_TRUE(refused("1;" + std::string(16 * 1024, 'a') + "\r\n"));
  std::string drip;
  for (int i = 0; i < 20'000; ++i)
    drip += "1;a\r\nx\r\n";
  EXPECT_TRUE(refused(drip)) << "three bytes of extension for each of payload";
  std::string signed_chunks;
  for (int i = 0; i < 1'000; ++i) {
    signed_chunks +=
        "200;chunk-signature=" + std::string(64, 'f') + "\r\n" + std::string(0x200, 'x') + "\r\n";
  }
  EXPECT_FALSE(refused(signed_chunks)) << "honest users carry payload";
}

TEST(ChunkedDecoder, ChecksAndDropsTrailers) {
  EXPECT_EQ(chunked("0\r\nA: b\r\nC:\r\nD:\t\xe9\r\n\r\nX"), "|complete, left 1");
  for (std::string_view trailer :
       {"A : b", " A: b", "A", ": b", "A\tB: c", "A: \x01", "A: b\r\n c", "A(: b", "\x7f: b"}) {
    EXPECT_TRUE(refused("0\r\n" + std::string(trailer) + "\r\n\r\n")) << trailer;
  }
}

TEST(ChunkedDecoder, BoundsTheTrailerSection) {
  const Limits small{.fields = 2, .trailers = 20};
  EXPECT_FALSE(refused("0\r\nA: 3456789012345\r\n\r\n", small));
  EXPECT_TRUE(refused("0\r\nA: 34567890123456\r\n\r\n", small));
  EXPECT_FALSE(refused("0\r\nA:\r\nB:\r\n\r\n", small));
  EXPECT_TRUE(refused("0\r\nA:\r\nB:\r\nC:\r\n\r\n", small));
}

TEST(ChunkedDecoder, StaysRejectedAndStaysComplete) {
  ChunkedDecoder decoder;
  EXPECT_FALSE(decoder.next("x"));
  EXPECT_FALSE(decoder.next("0\r\n\r\n"));
  ChunkedDecoder done;
  ASSERT_TRUE(done.next("0\r\n\r\n"));
  const auto step = done.next("more");
  ASSERT_TRUE(step);
  EXPECT_EQ(step->progress, Progress::kComplete);
  EXPECT_EQ(step->consumed, 0U);
}

TEST(BodyDecoder, EndsEachFramingWhereItShould) {
  EXPECT_EQ(body_outcome("next", {}), "|complete, left 4");
  EXPECT_EQ(body_outcome("next", {BodyKind::kLength, 0}), "|complete, left 4");
  EXPECT_EQ(body_outcome("hellonext", {BodyKind::kLength, 5}), "hello|complete, left 4");
  EXPECT_EQ(body_outcome("hellonext", {BodyKind::kLength, 5}, 2), "hello|complete, left 4");
  EXPECT_EQ(body_outcome("hel", {BodyKind::kLength, 5}), "hel|need more, left 0");
  EXPECT_EQ(body_outcome("all of it", {BodyKind::kUntilClose, 0}), "all of it|need more, left 0");
}

TEST(BodyDecoder, TellsATruncatedBodyFromAWholeOne) {
  BodyDecoder until_close({BodyKind::kUntilClose, 0});
  ASSERT_TRUE(until_close.next("x"));
  EXPECT_TRUE(until_close.end_of_stream());
  BodyDecoder length({BodyKind::kLength, 2});
  ASSERT_TRUE(length.next("x"));
  EXPECT_FALSE(length.end_of_stream());
  BodyDecoder no_last_chunk({BodyKind::kChunked, 0});
  ASSERT_TRUE(no_last_chunk.next("0\r\n"));
  EXPECT_FALSE(no_last_chunk.end_of_stream());
}

TEST(ChunkHeader, WritesTheSizeInHexadecimal) {
  EXPECT_EQ(ChunkHeader(1).text(), "1\r\n");
  EXPECT_EQ(ChunkHeader(0x1a2b).text(), "1a2b\r\n");
  EXPECT_EQ(ChunkHeader(UINT64_MAX).text(), "ffffffffffffffff\r\n");
}

TEST(ChunkHeader, WritesWhatTheDecoderReads) {
  const std::string payload(70'000, 'p');
  const std::string body = std::string(ChunkHeader(payload.size()).text()) + payload +
                           std::string(kChunkEnd) + std::string(kLastChunk);
  EXPECT_EQ(chunked(body), payload + "|complete, left 0");
}

}  // namespace
}  // namespace gondolin::http
