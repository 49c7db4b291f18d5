// The answers the gateway makes itself, its limits and its timeouts.
#include "harness/wire_test.hpp"

namespace gondolin::wiretest {
namespace {

// Errors --------------------------------------------------------------------------

WIRE_TEST(ErrorAnswers, RefusedConnectionIs502, "contract: 502, connect refused") {
  Connection client = site().connect();
  client.send(get("/closed/x"));
  EXPECT_EQ(expect_error(client, {502}).body, "bad gateway\n");
}

WIRE_TEST(ErrorAnswers, NothingInternalLeaks, "contract: nothing internal leaked") {
  Connection client = site().connect();
  client.send(get("/closed/x"));
  const Response response = expect_error(client, {502});
  const std::string port = std::to_string(site().closed.port());
  for (const Field& field : response.head.fields) {
    EXPECT_EQ(field.value.find(port), std::string::npos) << field.name;
  }
  EXPECT_EQ(response.body.find(port), std::string::npos);
}

WIRE_TEST(ErrorAnswers, TheyAreFramedByLengthAndKeepTheConnection, "RFC 9112 9.3") {
  Connection client = site().connect();
  for (int i = 0; i < 3; ++i) {
    client.send(get("/closed"));
    EXPECT_EQ(expect_error(client, {502}).framing, Framing::kLength);
  }
}

WIRE_TEST(ErrorAnswers, HeadGetsNoBody, "RFC 9110 9.3.2") {
  Connection client = site().connect();
  client.send(head("/closed"));
  EXPECT_EQ(receive_response(client, AnswerTo::kHead).status, 502);
  client.send(get("/closed"));
  EXPECT_EQ(expect_error(client, {502}).status, 502);
}

WIRE_TEST(ErrorAnswers, BrowserGetsAPageWithTheSameStatus, "contract: Accept: text/html") {
  Connection client = site().connect();
  client.send(get("/closed", "Accept: text/html,application/xhtml+xml,*/*;q=0.8\r\n"));
  const Response response = receive_response(client);
  EXPECT_EQ(response.status, 502);
  EXPECT_TRUE(response.head.one("content-type").starts_with("text/html"));
  EXPECT_NE(lower(response.body).find("<html"), std::string::npos);
}

WIRE_TEST(ErrorAnswers, BrowserGetsAPageForABadRequestToo, "contract: Accept: text/html") {
  const std::string html = "Accept: text/html\r\n";
  const std::vector<std::pair<int, std::string>> rows = {
      {400, html + "Host: twice\r\n"},
      {400, html + "Content-Length: x\r\n"},
      {400, html + "no colon\r\n"},
      {417, html + "Expect: more\r\n"},
      {431, html + "Cookie: " + std::string(70000, 'c') + "\r\n"},
      {501, html + "Transfer-Encoding: gzip, chunked\r\n"},
  };
  for (const auto& [status, fields] : rows) {
    Connection client = site().connect();
    client.send(get("/closed", fields));
    const Response response = receive_response(client);
    EXPECT_EQ(response.status, status);
    EXPECT_TRUE(response.head.one("content-type").starts_with("text/html")) << status;
    EXPECT_NE(response.body.find("</p>\n<p>"), std::string::npos) << response.body;
  }
}

WIRE_TEST(ErrorAnswers, BadHeadRequestGetsNoBody, "RFC 9110 9.3.2") {
  Connection client = site().connect();
  client.send(head("/closed", "Expect: more\r\n"));
  EXPECT_EQ(receive_response(client, AnswerTo::kHead).status, 417);
  client.expect_end();
}

WIRE_TEST(ErrorAnswers, BrowserGetsAPageForNoRoute, "contract: Accept: text/html") {
  OwnGateway own("/api :1\n");
  Connection client = own.gateway.connect();
  client.send(get("/<script>alert(1)</script>", "Accept: text/html\r\n"));
  Response response = receive_response(client);
  EXPECT_TRUE(response.status == 404 || response.status == 400);
  EXPECT_EQ(response.body.find("<script>alert(1)"), std::string::npos) << "unescaped";
}

WIRE_TEST(ErrorAnswers, OtherClientsGetPlainText,
          "contract: nothing leaks to non-browser clients") {
  for (const std::string_view accept :
       {"", "Accept: */*\r\n", "Accept: application/json\r\n", "Accept: text/plain\r\n",
        "Accept: text/html;q=0\r\n", "Accept: text/htmlx\r\n"}) {
    Connection client = site().connect();
    client.send(get("/closed", accept));
    EXPECT_EQ(expect_error(client, {502}).body, "bad gateway\n") << accept;
  }
}

WIRE_TEST(ErrorAnswers, BodyOfARefusedRequestIsNoRequest, "RFC 9112 9.3") {
  Connection client = site().connect();
  const std::string inside = get("/smuggled");
  client.send(post("/closed", inside));
  const Response response = expect_error(client, {502});
  client.close();
  static_cast<void>(response);
  expect_only_marker_reaches_backends(site());
}

WIRE_TEST(ErrorAnswers, ChunkedBodyOfARefusedRequestIsNoRequest, "RFC 9112 9.3") {
  Connection client = site().connect();
  client.send(post_chunked("/closed", "5\r\nhello\r\n0\r\n\r\n") + get("/marker"));
  expect_error(client, {502});
  Connection backend = site().root.accept();
  EXPECT_EQ(receive_head(backend).start_line, "GET /marker HTTP/1.1");
  backend.send(ok("x"));
  EXPECT_EQ(receive_response(client).body, "x");
}

WIRE_TEST(ErrorAnswers, LargeUploadToARefusingBackendStillGetsItsAnswer, "RFC 9112 9.6") {
  Connection client = site().connect();
  client.send("POST /closed HTTP/1.1\r\nHost: localhost\r\nContent-Length: 8000000\r\n\r\n");
  static_cast<void>(client.send_until_stalled(std::string(8'000'000, 'u'), milliseconds(100)));
  expect_error(client, {502});
}

WIRE_TEST(ErrorAnswers, BackendThatResetsBeforeAnsweringIs502, "contract: 502") {
  Exchange x = exchange(get("/"));
  x.backend.reset();
  expect_error(x.client, {502});
}

WIRE_TEST(ErrorAnswers, BackendThatResetsAtOnceIs502, "contract: 502") {
  Connection client = site().connect();
  client.send(get("/"));
  Connection backend = site().root.accept();
  backend.reset();
  expect_error(client, {502});
}

WIRE_TEST(ErrorAnswers, ReasonGoesToTheDebugLog, "contract: the reason goes to the debug log") {
  GatewayOptions options;
  options.environment["GONDOLIN_DEBUG"] = "protocol";
  ClosedPort closed;
  OwnGateway own("/closed :" + std::to_string(closed.port()) + "\n", options);
  Connection client = own.gateway.connect();
  client.send(get("/closed/a"));
  expect_error(client, {502});
  client.send(get("/nowhere"));
  expect_error(client, {404});
  EXPECT_TRUE(eventually([&] {
    const std::string log = own.gateway.stderr_text();
    return log.find("502") != std::string::npos && log.find("404") != std::string::npos &&
           log.find(std::to_string(closed.port())) != std::string::npos;
  })) << own.gateway.stderr_text();
}

// Its lines are lost; the requests are not.
void expect_served_with_stderr_to(StderrTo to) {
  GatewayOptions options;
  options.environment["GONDOLIN_DEBUG"] = "all";
  options.stderr_to = to;
  OwnGateway own("", options);
  Connection client = own.gateway.connect();
  for (int i = 0; i < 5; ++i) {
    client.send(get("/"));
    EXPECT_EQ(receive_response(client).status, 404);
  }
  EXPECT_EQ(own.gateway.terminate(SIGTERM), 0);
}

WIRE_TEST(ErrorAnswers, DebugLogThatNobodyReadsHoldsUpNoRequest,
          "contract: every wait has a deadline") {
  expect_served_with_stderr_to(StderrTo::kNobody);
}

WIRE_TEST(ErrorAnswers, DebugLogWhoseReaderIsGoneEndsNothing, "contract: one line per event") {
  expect_served_with_stderr_to(StderrTo::kGone);
}

WIRE_TEST(ErrorAnswers, DebugLogLinesCannotBeForged, "contract: one line per event") {
  GatewayOptions options;
  options.environment["GONDOLIN_DEBUG"] = "all";
  OwnGateway own("", options);
  Connection client = own.gateway.connect();
  client.send(get("/x\x1b[31m"));
  expect_error(client, {400, 404});
  EXPECT_EQ(own.gateway.stderr_text().find('\x1b'), std::string::npos);
}

// Limits --------------------------------------------------------------------------

// Sends a request that breaks a limit; the answer must come while the client may
// still be sending.
void expect_limit(std::string_view request, int status) {
  Connection client = site().connect();
  static_cast<void>(client.send_until_stalled(request, milliseconds(500)));
  const Response response = receive_response(client);
  EXPECT_EQ(response.status, status);
  EXPECT_TRUE(lower(response.head.one("content-type")).starts_with("text/plain"));
  client.expect_end();
  expect_only_marker_reaches_backends(site());
}

WIRE_TEST(Limits, RequestLineOf16000BytesPasses, "contract: request line 16 KiB") {
  const std::string target = "/" + std::string(16'000, 'a');
  Exchange x = exchange(get(target));
  EXPECT_EQ(x.request.start_line, "GET " + target + " HTTP/1.1");
  x.backend.send(ok("x"));
  EXPECT_EQ(receive_response(x.client).body, "x");
}

WIRE_TEST(Limits, RequestLineOver16KiBIs414, "contract: request line 16 KiB") {
  expect_limit(get("/" + std::string(17'000, 'a')), 414);
}

WIRE_TEST(Limits, EndlessRequestLineIs414, "contract: request line 16 KiB") {
  expect_limit("GET /" + std::string(1'000'000, 'a'), 414);
}

WIRE_TEST(Limits, EndlessMethodIsRefused, "contract: request line 16 KiB") {
  Connection client = site().connect();
  static_cast<void>(client.send_until_stalled(std::string(100'000, 'M'), milliseconds(300)));
  const int status = receive_response(client).status;
  EXPECT_TRUE(status == 400 || status == 414 || status == 501) << status;
}

WIRE_TEST(Limits, HeadOf60000BytesPasses, "contract: header bytes 64 KiB") {
  std::string lines;
  for (int i = 0; i < 6; ++i)
    lines += "X-" + std::to_string(i) + ": " + std::string(9'990, 'v') + "\r\n";
  Exchange x = exchange(get("/", lines));
  EXPECT_EQ(x.request.one("x-5"), std::string(9'990, 'v'));
  x.backend.send(ok("x"));
  EXPECT_EQ(receive_response(x.client).body, "x");
}

WIRE_TEST(Limits, HeadOver64KiBIs431, "peers: header limit errors are 400, not 431") {
  std::string lines;
  for (int i = 0; i < 7; ++i)
    lines += "X-" + std::to_string(i) + ": " + std::string(10'000, 'v') + "\r\n";
  expect_limit(get("/", lines), 431);
}

WIRE_TEST(Limits, SingleFieldOver64KiBIs431, "contract: header bytes 64 KiB") {
  expect_limit(get("/", "X-A: " + std::string(70'000, 'v') + "\r\n"), 431);
}

WIRE_TEST(Limits, EndlessFieldIs431, "contract: header bytes 64 KiB") {
  expect_limit("GET / HTTP/1.1\r\nHost: localhost\r\nX-A: " + std::string(2'000'000, 'v'), 431);
}

WIRE_TEST(Limits, EndlessFieldNameIsRefused, "contract: header bytes 64 KiB") {
  expect_limit("GET / HTTP/1.1\r\nHost: localhost\r\n" + std::string(200'000, 'n'), 431);
}

// A GET with `count` fields, Host among them.
std::string with_fields(int count) {
  std::string lines;
  for (int i = 1; i < count; ++i)
    lines += "X-" + std::to_string(i) + ": v\r\n";
  return get("/", lines);
}

WIRE_TEST(Limits, Fields128Pass, "contract: 128 fields") {
  Exchange x = exchange(with_fields(128));
  EXPECT_EQ(x.request.one("x-127"), "v");
  x.backend.send(ok("x"));
  EXPECT_EQ(receive_response(x.client).body, "x");
}

WIRE_TEST(Limits, Fields129Are431, "contract: 128 fields") {
  expect_limit(with_fields(129), 431);
}

WIRE_TEST(Limits, ThousandFieldsAre431, "contract: 128 fields") {
  expect_limit(with_fields(1000), 431);
}

WIRE_TEST(Limits, FloodOfEmptyLinesIsBounded, "RFC 9112 2.2") {
  Connection client = site().connect();
  std::string lines;
  for (int i = 0; i < 200'000; ++i)
    lines += "\r\n";
  static_cast<void>(client.send_until_stalled(lines, milliseconds(300)));
  if (client.readable()) {
    const std::string answer = client.receive_rest().bytes;
    EXPECT_TRUE(answer.empty() || answer.starts_with("HTTP/1.1 4")) << visible(answer);
  }
}

WIRE_TEST(Limits, ConnectionsOver1024Get503, "contract: open client connections 1,024") {
  FakeBackend backend;
  ClosedPort closed;
  OwnGateway own("/ :" + std::to_string(backend.port()) +
                 "\n/closed :" + std::to_string(closed.port()) + "\n");
  std::vector<Connection> open;
  for (int i = 0; i < 1024; ++i)
    open.push_back(own.gateway.connect());
  Connection over = own.gateway.connect();
  over.send(get("/"));
  const Response refused = receive_response(over);
  EXPECT_EQ(refused.status, 503);
  EXPECT_EQ(refused.body, "too many connections\n");
  over.expect_end();
  open.front().send(get("/"));
  Connection peer = backend.accept();
  static_cast<void>(receive_head(peer));
  peer.send(ok("served"));
  EXPECT_EQ(receive_response(open.front()).body, "served");
  open.clear();
  EXPECT_TRUE(eventually([&] {
    Connection next = own.gateway.connect();
    next.send(get("/closed"));
    return receive_response(next).status == 502;
  }));
}

// Timeouts ------------------------------------------------------------------------

WIRE_TEST(Timeouts, SilentBackendIs504, "contract: 504, no response header in time") {
  Exchange x = exchange(impatient_site(), impatient_site().root, get("/"));
  expect_error(x.client, {504});
  x.backend.expect_end();
}

WIRE_TEST(Timeouts, ConnectionThatNobodyAcceptsIs502, "contract: connect to the guest port 2 s") {
  FullPort full;
  OwnGateway own("/ :" + std::to_string(full.port()) + "\n");
  Connection client = own.gateway.connect();
  const auto start = std::chrono::steady_clock::now();
  client.send(get("/"));
  EXPECT_EQ(receive_response(client).status, 502);
  EXPECT_GE(std::chrono::steady_clock::now() - start, milliseconds(1900));
}

WIRE_TEST(Timeouts, BackendThatDribblesItsHeadIs504, "contract: 504, no response header in time") {
  Exchange x = exchange(impatient_site(), impatient_site().root, get("/"));
  x.backend.send("HTTP/1.1 200 OK\r\nContent-Le");
  expect_error(x.client, {504});
}

WIRE_TEST(Timeouts, SlowUploadDoesNotCountAsASilentBackend,
          "contract: response header, after the request was sent") {
  Exchange x = exchange(impatient_site(), impatient_site().root, post_chunked("/", ""));
  for (int i = 0; i < 5; ++i) {
    x.client.expect_silence(milliseconds(120));
    x.client.send("1\r\nx\r\n");
    x.backend.expect("1\r\nx\r\n");
  }
  x.client.send("0\r\n\r\n");
  x.backend.expect("0\r\n\r\n");
  x.backend.send(ok("done"));
  EXPECT_EQ(receive_response(x.client).body, "done");
}

WIRE_TEST(Timeouts, SilenceInsideABodyIsAborted,
          "contract: silence inside a response body; settable") {
  Exchange x = exchange(impatient_site(), impatient_site().root, get("/"));
  x.backend.send("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhello");
  EXPECT_EQ(receive_any_response(x.client).completeness, Completeness::kTruncated);
  x.backend.expect_end();
}

WIRE_TEST(Timeouts, SlowButSteadyBodyArrives,
          "contract: silence inside a response body; settable") {
  Exchange x = exchange(impatient_site(), impatient_site().root, get("/"));
  x.backend.send("HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n");
  static_cast<void>(receive_head(x.client));
  for (int i = 0; i < 6; ++i) {
    x.client.expect_silence(milliseconds(100));
    x.backend.send("x");
    x.client.expect("x");
  }
}

WIRE_TEST(Timeouts, RequestBodyThatStallsIs408, "contract: 408, a body that stalls") {
  Exchange x = exchange(impatient_site(), impatient_site().root,
                        "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\nhello");
  expect_error(x.client, {408});
  x.client.expect_end();
  EXPECT_EQ(x.backend.receive_rest().bytes, "hello");
}

WIRE_TEST(Timeouts, EventStreamIsSilentAsLongAsItLikes,
          "contract: none by default, SSE lives for hours") {
  GatewayOptions options;
  options.arguments = {"--header-timeout-ms", "200"};
  FakeBackend backend;
  OwnGateway own("/ :" + std::to_string(backend.port()) + "\n", options);
  Connection client = own.gateway.connect();
  client.send(get("/"));
  Connection peer = backend.accept();
  static_cast<void>(receive_head(peer));
  peer.send("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\ndata: 1\n\n");
  static_cast<void>(receive_head(client));
  while (client.receive_some().find("data: 1\n\n") == std::string::npos) {
  }
  client.expect_silence(milliseconds(700));
  peer.send("data: 2\n\n");
  while (client.receive_some().find("data: 2\n\n") == std::string::npos) {
  }
}

WIRE_TEST(Timeouts, BackendTakesThreeSecondsToAnswer,
          "peers: a 2 s header timeout breaks slow first compiles") {
  Exchange x = exchange(get("/"));
  x.client.expect_silence(milliseconds(3000));
  x.backend.send(ok("compiled"));
  EXPECT_EQ(receive_response(x.client).body, "compiled");
}

WIRE_TEST(Timeouts, TimedOutRequestLeavesTheConnectionInStep, "RFC 9112 9.3") {
  Exchange x = exchange(impatient_site(), impatient_site().root, get("/"));
  const Response response = expect_error(x.client, {504});
  x.backend.expect_end();
  if (response.head.lists("connection", "close")) {
    x.client.expect_end();
  } else {
    x.client.send(get("/closed"));
    expect_error(x.client, {502});
  }
}

}  // namespace
}  // namespace gondolin::wiretest
