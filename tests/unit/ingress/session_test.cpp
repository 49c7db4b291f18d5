// The gateway over real sockets, byte by byte: requests, responses, connections.

#include <chrono>
#include <future>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "wire.hpp"

namespace gondolin::ingress {
namespace {

using testing::End;
using ::testing::HasSubstr;
using ::testing::Not;
using testing::Peer;
using ::testing::StartsWith;
using namespace std::chrono_literals;

class Session : public testing::GatewayTest {
 protected:
  // Sends a request and gives both ends, the backend's having read the head.
  struct Open {
    Peer client;
    Peer backend;
    std::string head;
  };
  Open open(std::string_view request) {
    Open ends;
    ends.client = connect();
    ends.client.send(request);
    ends.backend = backend_.accept();
    ends.head = ends.backend.read_head();
    return ends;
  }
};

constexpr std::string_view kGet = "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n";

TEST_F(Session, ForwardsARequestWithItsFieldsInOrderAndItsOwnBehind) {
  start();
  auto [client, backend, head] =
      open("GET /a//b?x=%2F HTTP/1.1\r\nHost: localhost\r\nX-B: 1\r\nx-a: \xe9\r\nX-B: 2\r\n\r\n");
  EXPECT_EQ(head,
            "GET /a//b?x=%2F HTTP/1.1\r\nHost: localhost\r\nX-B: 1\r\nx-a: \xe9\r\nX-B: 2\r\n" +
                std::string(kAdded));
  backend.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\nSet-Cookie: a\r\nSet-Cookie: b\r\n\r\nhi");
  client.expect("HTTP/1.1 200 OK\r\nSet-Cookie: a\r\nSet-Cookie: b\r\nContent-Length: 2\r\n\r\nhi");
}

TEST_F(Session, DropsHopByHopFieldsBothWays) {
  start();
  auto [client, backend, head] = open(
      "GET / HTTP/1.1\r\nHost: localhost\r\nConnection: keep-alive, x-hop\r\nX-Hop: 1\r\nTE: "
      "trailers\r\nKeep-Alive: 5\r\nProxy: evil\r\nUpgrade: h2c\r\nX-Forwarded-Prefix: "
      "/evil\r\n\r\n");
  EXPECT_EQ(head, "GET / HTTP/1.1\r\nHost: localhost\r\n" + std::string(kAdded));
  backend.send(
      "HTTP/1.1 200 OK\r\nConnection: x-y\r\nX-Y: 1\r\nKeep-Alive: 5\r\nContent-Length: 0\r\n\r\n");
  client.expect("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
}

TEST_F(Session, AppendsToXForwardedFor) {
  start();
  auto ends = open(
      "GET / HTTP/1.1\r\nHost: localhost:80\r\nX-Forwarded-For: 1.2.3.4\r\nX-Forwarded-For: "
      "5.6.7.8\r\nX-Forwarded-Host: evil\r\n\r\n");
  EXPECT_THAT(ends.head, HasSubstr("\r\nX-Forwarded-For: 1.2.3.4, 5.6.7.8, 127.0.0.1\r\n"));
  EXPECT_THAT(ends.head, HasSubstr("\r\nX-Forwarded-Host: localhost:80\r\n"));
  EXPECT_THAT(ends.head, Not(HasSubstr("evil")));
}

TEST_F(Session, StripsThePrefixAndTellsIt) {
  routes_ = "/api :" + std::to_string(backend_.port());
  start();
  auto ends = open("GET /api/../api/u?x HTTP/1.1\r\nHost: localhost\r\n\r\n");
  EXPECT_THAT(ends.head, StartsWith("GET /u?x HTTP/1.1\r\n"));
  EXPECT_THAT(ends.head, HasSubstr("\r\nX-Forwarded-Prefix: /api\r\n"));
}

TEST_F(Session, AbsoluteFormsAuthorityBecomesHost) {
  start();
  auto ends = open("GET http://localhost:99/p HTTP/1.1\r\nHost: localhost\r\n\r\n");
  EXPECT_THAT(ends.head, StartsWith("GET /p HTTP/1.1\r\nHost: localhost:99\r\n"));
}

TEST_F(Session, Http10WithoutHostIsGivenTheGatewaysOwn) {
  start();
  auto [client, backend, head] = open("GET / HTTP/1.0\r\n\r\n");
  EXPECT_THAT(
      head,
      StartsWith("GET / HTTP/1.1\r\nHost: 127.0.0.1:" + std::to_string(gateway_->port()) + "\r\n"));
  backend.send(
      "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: "
      "chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n");
  EXPECT_EQ(client.read_to_end(), "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nhi");
}

TEST_F(Session, Http10MayKeepAliveWhatHasALength) {
  start();
  auto [client, backend, head] =
      open("GET / HTTP/1.0\r\nHost: localhost\r\nConnection: keep-alive\r\n\r\n");
  backend.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi");
  client.expect("HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: keep-alive\r\n\r\nhi");
  client.send("GET / HTTP/1.0\r\n\r\n");
  EXPECT_TRUE(backend_.called(testing::kPatienceMs));
}

TEST_F(Session, PipelinedRequestsAreAnsweredInOrder) {
  start();
  Peer client = connect();
  client.send(
      "GET /1 HTTP/1.1\r\nHost: localhost\r\n\r\nGET /2 HTTP/1.1\r\nHost: localhost\r\n\r\n");
  for (std::string_view n : {"1", "2"}) {
    Peer backend = backend_.accept();
    EXPECT_THAT(backend.read_head(), StartsWith("GET /" + std::string(n) + " "));
    backend.send("HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n" + std::string(n));
    client.expect("HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n" + std::string(n));
  }
}

TEST_F(Session, HeadAnd304KeepTheirLengthAndHaveNoBody) {
  start();
  Peer client = connect();
  client.send("HEAD / HTTP/1.1\r\nHost: localhost\r\n\r\n");
  Peer backend = backend_.accept();
  backend.read_head();
  backend.send("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n");
  client.expect("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n");
  client.send(kGet);
  backend = backend_.accept();
  backend.read_head();
  backend.send("HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n");
  client.expect("HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n");
}

TEST_F(Session, AnEndOfConnectionBodyIsChunkedForHttp11) {
  start();
  auto [client, backend, head] = open(kGet);
  backend.send("HTTP/1.0 200 OK\r\n\r\nab");
  client.expect("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n");
  backend.send("c");
  client.expect("1\r\nc\r\n");
  backend.close();
  client.expect("0\r\n\r\n");
}

TEST_F(Session, InterimResponsesPassBeforeTheFinalOne) {
  start();
  auto [client, backend, head] = open(kGet);
  backend.send("HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n");
  client.expect("HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n");
  backend.send("HTTP/1.1 204 No Content\r\n\r\n");
  client.expect("HTTP/1.1 204 No Content\r\n\r\n");
}

TEST_F(Session, ABodyThatIsCutOffNeverLooksComplete) {
  start();
  for (std::string_view head :
       {"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n"}) {
    auto [client, backend, unused] = open(kGet);
    backend.send(head);
    client.read_until("abc");
    backend.close();
    EXPECT_THAT(client.read_to_end(), Not(HasSubstr("0\r\n")));
    EXPECT_NE(client.ending(), End::kOpen);
  }
  auto [client, backend, unused] = open("GET / HTTP/1.0\r\nHost: localhost\r\n\r\n");
  backend.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n");
  client.read_until("abc");
  backend.close();
  EXPECT_EQ(client.end(), End::kReset);
}

TEST_F(Session, AResetInsideABodyThatEndsWithTheConnectionIsSeen) {
  start();
  auto [client, backend, head] = open(kGet);
  backend.send("HTTP/1.1 200 OK\r\n\r\nabc");
  client.read_until("abc\r\n");
  backend.reset();
  EXPECT_EQ(client.read_to_end(), "");
}

TEST_F(Session, BadResponsesAre502) {
  start();
  for (std::string_view response :
       {"garbage\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n", "", "HTTP/1.1 200 OK\r\n",
        "HTTP/1.1 101 Switching Protocols\r\n\r\n"}) {
    auto [client, backend, head] = open(kGet);
    backend.send(response);
    backend.close();
    EXPECT_THAT(client.read_head(), StartsWith("HTTP/1.1 502 Bad Gateway\r\n"));
    client.expect("bad gateway\n");
  }
}

TEST_F(Session, ARefusedConnectionIs502AndKeepsTheClient) {
  routes_ = "/ :" + std::to_string(testing::Backend().port());
  start();
  Peer client = connect();
  for (int i = 0; i < 2; ++i) {
    client.send(kGet);
    EXPECT_THAT(client.read_head(), StartsWith("HTTP/1.1 502 "));
    client.expect("bad gateway\n");
  }
}

TEST_F(Session, ALengthBodyIsStreamed) {
  start();
  auto [client, backend, head] =
      open("POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 6\r\n\r\nab");
  EXPECT_THAT(head, HasSubstr("\r\nContent-Length: 6\r\n"));
  backend.expect("ab");
  client.send("cdef");
  backend.expect("cdef");
  backend.send("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
  client.expect("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
}

TEST_F(Session, AChunkedBodyIsReframed) {
  start();
  auto [client, backend, head] = open(
      "POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"
      "1;x=y\r\na\r\n2\r\nbc\r\n");
  EXPECT_THAT(head, HasSubstr("\r\nTransfer-Encoding: chunked\r\n"));
  backend.expect("3\r\nabc\r\n");
  client.send("0\r\nTrailer: x\r\n\r\n");
  backend.expect("0\r\n\r\n");
}

TEST_F(Session, AMalformedChunkAtOnceNeverReachesTheBackend) {
  start();
  Peer client = connect();
  client.send(
      "POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n0x1\r\na\r\n"
      "GET /smuggled HTTP/1.1\r\nHost: localhost\r\n\r\n");
  EXPECT_THAT(client.read_head(), StartsWith("HTTP/1.1 400 Bad Request\r\n"));
  client.expect("bad request\n");
  client.shutdown_write();
  EXPECT_EQ(client.end(), End::kOrderly);
  EXPECT_FALSE(backend_.called(0));
}

TEST_F(Session, AMalformedChunkLaterResetsTheBackendAndIs400) {
  start();
  auto [client, backend, head] =
      open("POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n");
  backend.expect("1\r\na\r\n");
  client.send("zz\r\n");
  EXPECT_THAT(client.read_head(), StartsWith("HTTP/1.1 400 "));
  EXPECT_EQ(backend.end(), End::kReset);
}

TEST_F(Session, BadRequestsAreAnsweredOnceAndNothingBehindThemIsRead) {
  start();
  Peer client = connect();
  client.send(
      "GET / HTTP/1.1\r\nHost : localhost\r\n\r\nGET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
  EXPECT_THAT(client.read_head(), StartsWith("HTTP/1.1 400 "));
  client.expect("bad request\n");
  client.shutdown_write();
  EXPECT_EQ(client.end(), End::kOrderly);
  EXPECT_FALSE(backend_.called(0));
}

TEST_F(Session, WhatABackendDoesNotTakeAtOnceComesBehind) {
  start();
  for (const std::size_t most : {0U, 1U, 20U, 200U, 250U}) {
    stingy_opener_.most = most;
    auto [client, backend, head] = open(
        "POST /a HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n");
    EXPECT_THAT(head, StartsWith("POST /a HTTP/1.1\r\nHost: localhost\r\n")) << most;
    backend.expect("5\r\nhello\r\n");
    client.send("1\r\n!\r\n0\r\n\r\nGET /b HTTP/1.1\r\nHost: localhost\r\n\r\n");
    backend.expect("1\r\n!\r\n0\r\n\r\n");
    backend.send("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    client.expect("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    Peer second = backend_.accept();
    EXPECT_EQ(second.read_head(), "GET /b HTTP/1.1\r\nHost: localhost\r\n" + std::string(kAdded));
    second.send("HTTP/1.1 204 No Content\r\n\r\n");
    client.expect("HTTP/1.1 204 No Content\r\n\r\n");
  }
}

TEST_F(Session, A100IsAwaitedBehindAHeadThatWasNotTakenAtOnce) {
  start();
  stingy_opener_.most = 10;
  auto [client, backend, head] = open(
      "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n");
  backend.send("HTTP/1.1 100 Continue\r\n\r\n");
  client.expect("HTTP/1.1 100 Continue\r\n\r\n");
  client.send("hi");
  backend.expect("hi");
}

TEST_F(Session, ExpectContinueIsPassedOnAndTheBackends100PassedBack) {
  start();
  auto [client, backend, head] = open(
      "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n");
  EXPECT_THAT(head, HasSubstr("\r\nExpect: 100-continue\r\n"));
  backend.send("HTTP/1.1 100 Continue\r\n\r\n");
  client.expect("HTTP/1.1 100 Continue\r\n\r\n");
  client.send("ab");
  backend.expect("ab");
  backend.send("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
  client.expect("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
}

TEST_F(Session, ASilentBackendDoesNotHoldTheBodyBackForever) {
  start({.continue_timeout = 20ms});
  auto [client, backend, head] = open(
      "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n");
  client.expect("HTTP/1.1 100 Continue\r\n\r\n");
  client.send("ab");
  backend.expect("ab");
  backend.send("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
  client.expect("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
}

TEST_F(Session, AnEarlyAnswerReachesAClientThatStillUploads) {
  start();
  Peer client = connect();
  client.send("POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100000000\r\n\r\n");
  Peer backend = backend_.accept();
  backend.read_head();
  std::string block(1 << 20, 'x');
  auto uploading = std::async(std::launch::async, [&] {
    for (int i = 0; i < 20; ++i)
      client.send(block);
  });
  backend.send("HTTP/1.1 413 Content Too Large\r\nContent-Length: 3\r\n\r\nbig");
  backend.close();
  uploading.wait();
  EXPECT_EQ(client.read(75),
            "HTTP/1.1 413 Content Too Large\r\nContent-Length: 3\r\nConnection: close\r\n\r\nbig");
}

TEST_F(Session, AResponseMayBeginBeforeTheRequestEnds) {
  start();
  auto [client, backend, head] =
      open("POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n");
  backend.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
  client.read_head();
  for (std::string_view echo : {"1\r\na\r\n", "1\r\nb\r\n", "0\r\n\r\n"}) {
    client.send(echo);
    backend.expect(echo);
    backend.send(echo);
    client.expect(echo);
  }
}

TEST_F(Session, AClientThatLeavesEndsTheBackendAtOnce) {
  start();
  auto waiting = open(kGet);
  waiting.client.close();
  EXPECT_NE(waiting.backend.end(), End::kOpen);
  auto streaming = open(kGet);
  streaming.backend.send("HTTP/1.1 200 OK\r\n\r\nx");
  streaming.client.read_until("x\r\n");
  streaming.client.reset();
  EXPECT_NE(streaming.backend.end(), End::kOpen);
}

TEST_F(Session, AClientThatHalfClosesStillReadsAPromptAnswer) {
  start();
  Peer client = connect();
  client.send(kGet);
  client.shutdown_write();
  Peer backend = backend_.accept();
  backend.read_head();
  backend.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi");
  EXPECT_EQ(client.read_to_end(), "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi");
}

TEST_F(Session, TheBackendSeesNoHalfCloseBeforeItHasAnswered) {
  start();
  auto [client, backend, head] = open(kGet);
  EXPECT_FALSE(backend.readable(50));
  backend.send("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
  EXPECT_EQ(backend.end(), End::kOrderly);
}

TEST_F(Session, LateHeadersAre504) {
  start({.response_header_timeout = 30ms});
  auto [client, backend, head] = open(kGet);
  EXPECT_THAT(client.read_head(), StartsWith("HTTP/1.1 504 Gateway Timeout\r\n"));
  client.expect("gateway timeout\n");
  EXPECT_EQ(backend.end(), End::kReset);
}

TEST_F(Session, AHeadThatDribblesIs408) {
  start({.request_header_timeout = 30ms});
  Peer client = connect();
  client.send("GET / HT");
  EXPECT_THAT(client.read_head(), StartsWith("HTTP/1.1 408 Request Timeout\r\n"));
  client.expect("request timeout\n");
}

TEST_F(Session, ABodyThatStallsIs408) {
  start({.request_silence = 30ms});
  auto [client, backend, head] =
      open("POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 6\r\n\r\nab");
  EXPECT_THAT(client.read_head(), StartsWith("HTTP/1.1 408 "));
  backend.expect("ab");
  EXPECT_EQ(backend.end(), End::kReset);
}

TEST_F(Session, SilenceInsideAResponseEndsItWhereThatIsAsked) {
  start({.response_silence = 30ms});
  auto [client, backend, head] = open(kGet);
  backend.send("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nab");
  client.read_until("ab");
  EXPECT_EQ(client.read_to_end(), "");
  EXPECT_EQ(backend.end(), End::kReset);
}

TEST_F(Session, AnIdleConnectionIsClosedInOrder) {
  start({.request_header_timeout = 5s, .idle_timeout = 30ms});
  auto [client, backend, head] = open(kGet);
  backend.send("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
  client.expect("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
  EXPECT_EQ(client.end(), End::kOrderly);
}

TEST_F(Session, OverTheLimitIs503) {
  start({.max_connections = 1});
  auto first = open(kGet);
  Peer second = connect();
  EXPECT_THAT(second.read_head(), StartsWith("HTTP/1.1 503 Service Unavailable\r\n"));
  EXPECT_EQ(second.read_to_end(), "too many connections\n");
  first.backend.send("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
  first.client.expect("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
}

TEST_F(Session, AStalledClientStopsTheBackend) {
  start();
  auto [client, backend, head] = open(kGet);
  backend.send("HTTP/1.1 200 OK\r\n\r\n");
  client.read_until("\r\n\r\n");
  // The kernel's buffers and the gateway's own fill up; then nothing more is taken.
  std::string block(1 << 20, 'x');
  std::size_t taken = 0;
  while (taken < (256U << 20)) {
    pollfd poll{.fd = backend.fd(), .events = POLLOUT, .revents = 0};
    if (::poll(&poll, 1, 300) != 1) break;
    ssize_t n = ::send(backend.fd(), block.data(), block.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
    ASSERT_GT(n, 0);
    taken += static_cast<std::size_t>(n);
  }
  EXPECT_LT(taken, 64U << 20);
}

TEST_F(Session, LargeBodiesArriveWhole) {
  start();
  auto [client, backend, head] = open(kGet);
  std::string body(8 << 20, '\0');
  for (std::size_t i = 0; i < body.size(); ++i)
    body[i] = static_cast<char>(i * 2654435761U >> 24);
  auto sending = std::async(std::launch::async, [&to = backend, &body] {
    to.send("HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n");
    to.send(body);
    to.close();
  });
  client.read_until("\r\n\r\n");
  EXPECT_TRUE(client.read(body.size()) == body);
}

TEST_F(Session, ConnectIs405AndEndsTheConnection) {
  start();
  Peer client = connect();
  client.send("CONNECT localhost:1 HTTP/1.1\r\nHost: localhost:1\r\n\r\n");
  std::string head = client.read_head();
  EXPECT_THAT(head, StartsWith("HTTP/1.1 405 Method Not Allowed\r\n"));
  EXPECT_THAT(head, HasSubstr("\r\nAllow: "));
  EXPECT_EQ(client.read_to_end(), "method not allowed\n");
}

TEST_F(Session, StrangeHostsAre421AndTheFlagIsNamed) {
  start();
  Peer client = connect();
  client.send("GET / HTTP/1.1\r\nHost: evil.example\r\n\r\n");
  EXPECT_THAT(client.read_head(), StartsWith("HTTP/1.1 421 Misdirected Request\r\n"));
  std::string line = client.read_until("\n");
  EXPECT_THAT(line, StartsWith("host not allowed: "));
  EXPECT_THAT(line, HasSubstr("--ingress-host"));
}

TEST_F(Session, ProgramsGetOneLineAndBrowsersAPage) {
  routes_ = "/only :1\n";
  start();
  Peer client = connect();
  client.send(kGet);
  EXPECT_THAT(client.read_head(), HasSubstr("Content-Type: text/plain"));
  client.expect("no route\n");
  client.send("GET /<script> HTTP/1.1\r\nHost: localhost\r\nAccept: text/html,*/*\r\n\r\n");
  EXPECT_THAT(client.read_head(), StartsWith("HTTP/1.1 404 Not Found\r\n"));
  std::string page = client.read_until("</html>\n");
  EXPECT_THAT(page, HasSubstr("/only  :1"));
  EXPECT_THAT(page, HasSubstr("&lt;script&gt;"));
  EXPECT_THAT(page, Not(HasSubstr("<script>")));
}

TEST_F(Session, APageOfAServerThatIsNotThereNamesThoseThatAre) {
  routes_ = "/ :" + std::to_string(testing::Backend().port());
  listening_ports_ = []() -> Awaitable<std::vector<std::uint16_t>> {
    co_return std::vector<std::uint16_t>{5173, 8000};
  };
  start();
  Peer client = connect();
  client.send("GET / HTTP/1.1\r\nHost: localhost\r\nAccept: text/html\r\n\r\n");
  EXPECT_THAT(client.read_head(), StartsWith("HTTP/1.1 502 "));
  std::string page = client.read_until("</html>\n");
  EXPECT_THAT(page, HasSubstr("5173, 8000"));
  EXPECT_THAT(page, HasSubstr("http-equiv=\"refresh\""));
}

TEST_F(Session, RoutesMayChangeUnderARequest) {
  start();
  auto [client, backend, head] = open(kGet);
  on_loop([this] { table_.update(""); });
  backend.send("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
  client.expect("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
  client.send(kGet);
  EXPECT_THAT(client.read_head(), StartsWith("HTTP/1.1 404 "));
}

TEST_F(Session, CloseEndsEveryKindOfConnection) {
  start();
  Peer idle = connect();
  Peer half = connect();
  half.send("GET / HT");
  auto waiting = open(kGet);
  auto uploading = open("POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\nab");
  auto begun = std::chrono::steady_clock::now();
  stop();
  EXPECT_LT(std::chrono::steady_clock::now() - begun, 500ms);
  EXPECT_NE(idle.end(), End::kOpen);
  EXPECT_NE(half.end(), End::kOpen);
  EXPECT_NE(waiting.client.end(), End::kOpen);
  EXPECT_NE(waiting.backend.end(), End::kOpen);
  EXPECT_NE(uploading.client.end(), End::kOpen);
}

}  // namespace
}  // namespace gondolin::ingress
