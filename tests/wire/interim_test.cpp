// Interim responses and Expect.
#include "harness/rejected.hpp"
#include "harness/wire_test.hpp"

namespace gondolin::wiretest {
namespace {

const std::string kExpecting =
    "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n";

const std::vector<RejectedRow> kUnknown = {
    {"UnknownExpectationIs417",
     "RFC 9110 10.1.1",
     "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\nExpect: 200-ok\r\n\r\n",
     {417}},
    {"ExpectationWithATailIs417",
     "RFC 9110 10.1.1",
     "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\nExpect: 100-continued\r\n\r\n",
     {417}},
    {"UnknownExpectationInAListIs417",
     "RFC 9110 10.1.1",
     "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\nExpect: 100-continue, x\r\n\r\n",
     {417}},
};

// A 417 may keep the connection, so these do not use expect_rejected.
void expect_417(const RejectedRow& row) {
  Connection client = site().connect();
  client.send(row.request);
  EXPECT_EQ(receive_response(client).status, 417);
  client.close();
  expect_only_marker_reaches_backends(site());
}

WIRE_ROWS(Expect, kUnknown, expect_417);

WIRE_TEST(Expect, ReachesTheBackendAndItsContinueComesBack, "contract: Expect: 100-continue") {
  Exchange x = exchange(kExpecting);
  EXPECT_EQ(lower(x.request.one("expect")), "100-continue");
  x.backend.send("HTTP/1.1 100 Continue\r\n\r\n");
  EXPECT_EQ(receive_response(x.client).status, 100);
  x.client.send("hello");
  x.backend.expect("hello");
  x.backend.send(ok("done"));
  EXPECT_EQ(receive_response(x.client).body, "done");
}

WIRE_TEST(Expect, IsCaseInsensitive, "RFC 9110 10.1.1") {
  Exchange x = exchange(
      "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n"
      "expect: 100-Continue\r\n\r\n");
  x.backend.send("HTTP/1.1 100 Continue\r\n\r\n");
  EXPECT_EQ(receive_response(x.client).status, 100);
  x.client.send("hello");
  x.backend.expect("hello");
  x.backend.send(ok("done"));
  EXPECT_EQ(receive_response(x.client).body, "done");
}

WIRE_TEST(Expect, BodyIsSentToASilentBackendAfterASecond, "contract: silent for 1 s") {
  Exchange x = exchange(kExpecting + "hello");
  x.backend.expect("hello");
  x.backend.send(ok("done"));
  Response response = receive_response(x.client);
  if (response.status == 100) response = receive_response(x.client);
  EXPECT_EQ(response.body, "done");
}

WIRE_TEST(Expect, ClientThatWaitsForASilentBackendGetsItsBodyThrough, "contract: silent for 1 s") {
  Exchange x = exchange(kExpecting);
  const Response interim = receive_response(x.client);
  EXPECT_EQ(interim.status, 100);
  x.client.send("hello");
  x.backend.expect("hello");
  x.backend.send(ok("done"));
  EXPECT_EQ(receive_response(x.client).body, "done");
}

WIRE_TEST(Expect, RefusalWithoutContinueReachesTheClient, "RFC 9110 10.1.1") {
  Exchange x = exchange(kExpecting);
  x.backend.send("HTTP/1.1 413 Too Large\r\nContent-Length: 3\r\n\r\nbig");
  const Response response = receive_response(x.client);
  EXPECT_EQ(response.status, 413);
  EXPECT_EQ(response.body, "big");
  x.client.close();
  expect_only_marker_reaches_backends(site());
}

WIRE_TEST(Expect, BytesAfterARefusalAreNoRequest, "RFC 9112 9.3") {
  Exchange x = exchange(kExpecting);
  x.backend.send("HTTP/1.1 401 No\r\nContent-Length: 0\r\n\r\n");
  const Response response = receive_response(x.client);
  EXPECT_EQ(response.status, 401);
  // The client may send the body all the same; it must not become a request.
  static_cast<void>(x.client.send_until_stalled("hello", milliseconds(20)));
  if (!response.head.lists("connection", "close")) {
    x.client.send(get("/closed"));
    EXPECT_EQ(receive_response(x.client).status, 502);
  } else {
    static_cast<void>(x.client.receive_rest());
  }
}

WIRE_TEST(Expect, ContinueIsNotSentTwice, "RFC 9110 10.1.1") {
  Exchange x = exchange(kExpecting);
  x.backend.send("HTTP/1.1 100 Continue\r\n\r\n");
  EXPECT_EQ(receive_response(x.client).status, 100);
  x.client.expect_silence(milliseconds(1200));
  x.client.send("hello");
  x.backend.expect("hello");
  x.backend.send(ok("done"));
  EXPECT_EQ(receive_response(x.client).body, "done");
}

WIRE_TEST(Expect, FromAnHttp10ClientIsIgnored, "RFC 9110 10.1.1") {
  Exchange x = exchange(
      "POST / HTTP/1.0\r\nHost: localhost\r\nContent-Length: 5\r\n"
      "Expect: 100-continue\r\n\r\nhello");
  EXPECT_FALSE(x.request.has("expect"));
  x.backend.expect("hello");
  x.backend.send(ok("done"));
  EXPECT_EQ(receive_response(x.client).body, "done");
}

WIRE_TEST(Expect, WithoutABodyIsServed, "RFC 9110 10.1.1") {
  Exchange x = exchange(get("/", "Expect: 100-continue\r\n"));
  x.backend.send(ok("done"));
  EXPECT_EQ(receive_response(x.client).body, "done");
}

WIRE_TEST(Expect, ChunkedBodyWaitsForItToo, "RFC 9110 10.1.1") {
  Exchange x = exchange(
      "POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n"
      "Expect: 100-continue\r\n\r\n");
  x.backend.send("HTTP/1.1 100 Continue\r\n\r\n");
  EXPECT_EQ(receive_response(x.client).status, 100);
  x.client.send("1\r\na\r\n0\r\n\r\n");
  EXPECT_EQ(receive_chunked(x.backend), "a");
  x.backend.send(ok("done"));
  EXPECT_EQ(receive_response(x.client).body, "done");
}

WIRE_TEST(Interim, EarlyHintsArriveAtOnceAndBeforeTheFinalAnswer,
          "peers: 100/103 then 200: only the 1xx") {
  Exchange x = exchange(get("/"));
  x.backend.send("HTTP/1.1 103 Early Hints\r\nLink: </a.css>; rel=preload\r\n\r\n");
  const Response hints = receive_response(x.client);
  EXPECT_EQ(hints.status, 103);
  EXPECT_EQ(hints.head.one("link"), "</a.css>; rel=preload");
  x.backend.send(ok("done"));
  EXPECT_EQ(receive_response(x.client).body, "done");
}

WIRE_TEST(Interim, SeveralPassInOrder, "RFC 9110 15.2") {
  Exchange x = exchange(get("/"));
  x.backend.send(
      "HTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 103 Early Hints\r\nX-A: 1\r\n\r\n"
      "HTTP/1.1 103 Early Hints\r\nX-A: 2\r\n\r\n" +
      ok("done"));
  EXPECT_EQ(receive_response(x.client).status, 102);
  EXPECT_EQ(receive_response(x.client).head.one("x-a"), "1");
  EXPECT_EQ(receive_response(x.client).head.one("x-a"), "2");
  EXPECT_EQ(receive_response(x.client).body, "done");
}

WIRE_TEST(Interim, ByteByByteTheyPassToo, "RFC 9110 15.2") {
  Exchange x = exchange(get("/"));
  static_cast<void>(x.backend.drip("HTTP/1.1 103 Early Hints\r\nX-A: 1\r\n\r\n" + ok("done")));
  EXPECT_EQ(receive_response(x.client).status, 103);
  EXPECT_EQ(receive_response(x.client).body, "done");
}

WIRE_TEST(Interim, UnaskedContinuePasses, "peers: 100/103 then 200: only the 1xx") {
  Exchange x = exchange(get("/"));
  x.backend.send("HTTP/1.1 100 Continue\r\n\r\n" + ok("done"));
  Response response = receive_response(x.client);
  if (response.status == 100) response = receive_response(x.client);
  EXPECT_EQ(response.body, "done");
}

WIRE_TEST(Interim, FramingFieldsInThemAreNoBody, "RFC 9112 6.3") {
  Exchange x = exchange(get("/"));
  x.backend.send("HTTP/1.1 103 Early Hints\r\nContent-Length: 5\r\n\r\n" + ok("done"));
  Response response = receive_response(x.client);
  if (response.status == 103) response = receive_response(x.client);
  EXPECT_TRUE(response.body == "done" || response.status == 502);
}

WIRE_TEST(Interim, Http10ClientGetsOnlyTheFinalAnswer, "RFC 9110 15.2") {
  Exchange x = exchange("GET / HTTP/1.0\r\nHost: localhost\r\n\r\n");
  x.backend.send("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\n\r\n" + ok("done"));
  EXPECT_EQ(receive_response(x.client).body, "done");
}

WIRE_TEST(Interim, HeadGetsThemToo, "RFC 9110 15.2") {
  Exchange x = exchange(head("/"));
  x.backend.send("HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\n");
  EXPECT_EQ(receive_response(x.client, AnswerTo::kHead).status, 103);
  EXPECT_EQ(receive_response(x.client, AnswerTo::kHead).head.one("content-length"), "7");
}

WIRE_TEST(Interim, HopByHopFieldsInThemAreRemoved, "RFC 9110 7.6.1") {
  Exchange x = exchange(get("/"));
  x.backend.send("HTTP/1.1 103 Early Hints\r\nConnection: X-Hop\r\nX-Hop: 1\r\nX-A: 2\r\n\r\n" +
                 ok("done"));
  const Response hints = receive_response(x.client);
  EXPECT_FALSE(hints.head.has("x-hop"));
  EXPECT_EQ(hints.head.one("x-a"), "2");
  EXPECT_EQ(receive_response(x.client).body, "done");
}

WIRE_TEST(Interim, SwitchingProtocolsAfterAnotherInterimIs502,
          "contract: a 101 is passed only for") {
  Exchange x = exchange(get("/"));
  x.backend.send(
      "HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 101 Switching Protocols\r\n"
      "Connection: upgrade\r\nUpgrade: websocket\r\n\r\n");
  Response response = receive_response(x.client);
  if (response.status == 103) response = receive_response(x.client);
  EXPECT_EQ(response.status, 502);
}

}  // namespace
}  // namespace gondolin::wiretest
