// One client connection, many requests: keep-alive, pipelining, and who ends it.
#include "harness/wire_test.hpp"

namespace gondolin::wiretest {
namespace {

// Accepts the next backend connection, expects `line`, answers with `body`.
void serve(std::string_view line, std::string_view body) {
  Connection backend = site().root.accept();
  EXPECT_EQ(receive_head(backend).start_line, line);
  backend.send(ok(body));
}

WIRE_TEST(KeepAlive, SeveralRequestsShareOneConnection, "RFC 9112 9.3") {
  Connection client = site().connect();
  for (const std::string_view body : {"one", "two", "three"}) {
    client.send(get("/"));
    serve("GET / HTTP/1.1", body);
    EXPECT_EQ(receive_response(client).body, body);
  }
}

WIRE_TEST(KeepAlive, EachRequestHasAFreshBackendConnection,
          "contract: a fresh guest TCP connection") {
  Connection client = site().connect();
  client.send(get("/"));
  Connection first = site().root.accept();
  static_cast<void>(receive_head(first));
  first.send(ok("one"));
  EXPECT_EQ(receive_response(client).body, "one");
  first.expect_end();
  client.send(get("/"));
  serve("GET / HTTP/1.1", "two");
  EXPECT_EQ(receive_response(client).body, "two");
}

WIRE_TEST(KeepAlive, ConnectionCloseIsHonoured, "RFC 9112 9.6") {
  Connection client = site().connect();
  client.send(get("/", "Connection: close\r\n"));
  serve("GET / HTTP/1.1", "one");
  const Response response = receive_response(client);
  EXPECT_TRUE(response.head.lists("connection", "close"));
  EXPECT_EQ(client.expect_end(), End::kFin);
}

WIRE_TEST(KeepAlive, ConnectionCloseInAListIsHonoured, "RFC 9112 9.6") {
  Connection client = site().connect();
  client.send(get("/", "Connection: X-A, Close\r\n"));
  serve("GET / HTTP/1.1", "one");
  EXPECT_EQ(receive_response(client).body, "one");
  client.expect_end();
}

WIRE_TEST(KeepAlive, NothingBehindConnectionCloseIsServed, "RFC 9112 9.6") {
  Connection client = site().connect();
  client.send(get("/", "Connection: close\r\n") + get("/late"));
  serve("GET / HTTP/1.1", "one");
  EXPECT_EQ(receive_response(client).body, "one");
  client.expect_end();
  expect_only_marker_reaches_backends(site());
}

WIRE_TEST(KeepAlive, Http10ClosesByDefault, "RFC 9112 9.3") {
  Connection client = site().connect();
  client.send("GET / HTTP/1.0\r\nHost: localhost\r\n\r\n");
  serve("GET / HTTP/1.1", "one");
  EXPECT_EQ(receive_response(client).body, "one");
  client.expect_end();
}

WIRE_TEST(KeepAlive, EmptyLinesBetweenRequestsAreIgnored, "RFC 9112 2.2") {
  Connection client = site().connect();
  client.send(post("/", "hello") + "\r\n" + get("/next"));
  serve("POST / HTTP/1.1", "one");
  EXPECT_EQ(receive_response(client).body, "one");
  serve("GET /next HTTP/1.1", "two");
  EXPECT_EQ(receive_response(client).body, "two");
}

WIRE_TEST(KeepAlive, IdleClientThatCloses, "RFC 9112 9.5") {
  Connection client = site().connect();
  client.send(get("/"));
  serve("GET / HTTP/1.1", "one");
  EXPECT_EQ(receive_response(client).body, "one");
  client.finish();
  client.expect_end();
}

WIRE_TEST(KeepAlive, ConnectionWithoutARequestClosesQuietly, "RFC 9112 9.5") {
  Connection client = site().connect();
  client.finish();
  EXPECT_EQ(client.receive_rest().bytes, "");
}

WIRE_TEST(Pipelining, AnswersComeInOrder, "RFC 9112 9.3.2") {
  Connection client = site().connect();
  client.send(get("/1") + get("/2") + get("/3"));
  for (const std::string n : {"1", "2", "3"}) {
    serve("GET /" + n + " HTTP/1.1", n);
    EXPECT_EQ(receive_response(client).body, n);
  }
}

WIRE_TEST(Pipelining, SlowFirstAnswerHoldsTheSecondBack, "RFC 9112 9.3.2") {
  Connection client = site().connect();
  client.send(get("/slow") + get("/closed"));
  Connection backend = site().root.accept();
  static_cast<void>(receive_head(backend));
  client.expect_silence(milliseconds(50));
  backend.send(ok("slow"));
  EXPECT_EQ(receive_response(client).body, "slow");
  EXPECT_EQ(receive_response(client).status, 502);
}

WIRE_TEST(Pipelining, HundredInOneWriteAreAllServed, "RFC 9112 9.3.2") {
  Connection client = site().connect();
  std::string requests;
  for (int i = 0; i < 100; ++i)
    requests += get("/" + std::to_string(i));
  client.send(requests);
  for (int i = 0; i < 100; ++i) {
    serve("GET /" + std::to_string(i) + " HTTP/1.1", std::to_string(i));
    EXPECT_EQ(receive_response(client).body, std::to_string(i));
  }
}

WIRE_TEST(Pipelining, BodiesStayWithTheirRequests, "RFC 9112 9.3.2") {
  Connection client = site().connect();
  client.send(post("/1", "one") + post_chunked("/2", "3\r\ntwo\r\n0\r\n\r\n") + post("/3", "") +
              get("/4"));
  for (const std::string n : {"1", "2", "3", "4"}) {
    Connection backend = site().root.accept();
    EXPECT_EQ(receive_head(backend).start_line, (n == "4" ? "GET /" : "POST /") + n + " HTTP/1.1");
    if (n == "1") backend.expect("one");
    if (n == "2") EXPECT_EQ(receive_chunked(backend), "two");
    backend.send(ok(n));
    EXPECT_EQ(receive_response(client).body, n);
  }
}

WIRE_TEST(Pipelining, HeadAndNoContentStayInStep, "RFC 9112 9.3.2") {
  Connection client = site().connect();
  client.send(head("/1") + get("/2") + get("/3"));
  Connection first = site().root.accept();
  static_cast<void>(receive_head(first));
  first.send("HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n");
  EXPECT_EQ(receive_response(client, AnswerTo::kHead).status, 200);
  Connection second = site().root.accept();
  static_cast<void>(receive_head(second));
  second.send("HTTP/1.1 204 No Content\r\n\r\n");
  EXPECT_EQ(receive_response(client).status, 204);
  serve("GET /3 HTTP/1.1", "three");
  EXPECT_EQ(receive_response(client).body, "three");
}

WIRE_TEST(Pipelining, GoodRequestBeforeABadOneIsAnswered, "RFC 9112 9.3.2") {
  Connection client = site().connect();
  client.send(get("/good") + "GET / HTTP/1.1\r\nHost: localhost\r\nX Y: z\r\n\r\n" + get("/late"));
  serve("GET /good HTTP/1.1", "good");
  EXPECT_EQ(receive_response(client).body, "good");
  expect_error(client, {400});
  client.expect_end();
  expect_only_marker_reaches_backends(site());
}

WIRE_TEST(Pipelining, HalfClosedClientStillGetsItsAnswers, "RFC 9112 9.6") {
  Connection client = site().connect();
  client.send(get("/1") + get("/2"));
  client.finish();
  for (const std::string n : {"1", "2"}) {
    serve("GET /" + n + " HTTP/1.1", n);
    EXPECT_EQ(receive_response(client).body, n);
  }
  EXPECT_EQ(client.expect_end(), End::kFin);
}

WIRE_TEST(Pipelining, HalfClosedHttp10ClientGetsItsAnswer, "RFC 9112 9.6") {
  Connection client = site().connect();
  client.send("GET / HTTP/1.0\r\n\r\n");
  client.finish();
  serve("GET / HTTP/1.1", "old");
  EXPECT_EQ(receive_response(client).body, "old");
  client.expect_end();
}

WIRE_TEST(Pipelining, HalfClosedClientWaitsForItsAnswerAsLongAsItTakes, "RFC 9112 9.6") {
  Connection client = site().connect();
  client.send(get("/"));
  client.finish();
  Connection backend = site().root.accept();
  static_cast<void>(receive_head(backend));
  backend.expect_silence(milliseconds(700));
  backend.send(ok("late"));
  EXPECT_EQ(receive_response(client).body, "late");
  EXPECT_EQ(client.expect_end(), End::kFin);
}

WIRE_TEST(Pipelining, HalfClosedClientThatThenLeavesEndsTheBackendsConnection,
          "contract: client gone") {
  Connection client = site().connect();
  client.send(get("/"));
  client.finish();
  Connection backend = site().root.accept();
  static_cast<void>(receive_head(backend));
  backend.expect_silence(milliseconds(300));
  client.close();
  backend.expect_end();
}

WIRE_TEST(Pipelining, SecondHeadSplitAnywhereIsRead, "RFC 9112 9.3.2") {
  const std::string second = get("/second");
  for (std::size_t cut = 1; cut < second.size(); cut += 7) {
    Connection client = site().connect();
    client.send(get("/first") + second.substr(0, cut));
    serve("GET /first HTTP/1.1", "one");
    EXPECT_EQ(receive_response(client).body, "one");
    client.send(second.substr(cut));
    serve("GET /second HTTP/1.1", "two");
    EXPECT_EQ(receive_response(client).body, "two");
  }
}

WIRE_TEST(Pipelining, ClientThatNeverReadsIsHeldBack,
          "contract: memory per connection is bounded") {
  Connection client = Connection::with_receive_window(site().gateway.address(), 4096);
  std::string requests;
  for (int i = 0; i < 250'000; ++i)
    requests += get("/closed/" + std::to_string(i));
  const std::size_t before = site().gateway.resident_kib();
  const std::size_t sent = client.send_until_stalled(requests, milliseconds(500));
  EXPECT_LT(sent, requests.size()) << "the gateway keeps reading from a client that does not read";
  EXPECT_LT(site().gateway.resident_kib(), before + allowance_kib(8 * 1024));
}

}  // namespace
}  // namespace gondolin::wiretest
