// Bodies that flow: at once, both ways, without loss, in bounded memory, and with
// either side free to go away.
#include "harness/wire_test.hpp"

namespace gondolin::wiretest {
namespace {

constexpr std::size_t kMiB = 1024 * 1024;

// Megabytes that no shift, loss or repetition leaves unchanged.
std::string pattern(std::size_t size) {
  std::string bytes(size, '\0');
  std::uint32_t state = 12345;
  for (char& byte : bytes) {
    state = state * 1664525U + 1013904223U;
    byte = static_cast<char>(state >> 24U);
  }
  return bytes;
}

// Pumps `bytes` from one connection to the other through the gateway, reading as
// it goes, and returns what arrived.
std::string pump(Connection& from, Connection& to, std::string_view bytes) {
  std::string arrived;
  std::size_t sent = 0;
  while (sent < bytes.size()) {
    sent += from.send_until_stalled(bytes.substr(sent, kMiB), milliseconds(1));
    while (arrived.size() < sent && to.readable())
      arrived += to.receive_some();
  }
  while (arrived.size() < bytes.size()) {
    const std::string some = to.receive_some();
    if (some.empty()) throw WireFailure("the stream ended early");
    arrived += some;
  }
  return arrived;
}

// Sends until the peer's side stops taking bytes, in pieces of a megabyte.
std::size_t fill(Connection& from, std::size_t limit) {
  const std::string piece(kMiB, 'f');
  std::size_t total = 0;
  while (total < limit) {
    const std::size_t sent = from.send_until_stalled(piece, milliseconds(300));
    total += sent;
    if (sent < piece.size()) break;
  }
  return total;
}

WIRE_TEST(Streaming, EventArrivesWithoutWaitingForMore, "contract: streamed at once") {
  Exchange x = exchange(get("/"));
  x.backend.send("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n");
  static_cast<void>(receive_head(x.client));
  for (int i = 0; i < 20; ++i) {
    const std::string event = "data: " + std::to_string(i) + "\n\n";
    x.backend.send(event);
    std::string arrived;
    while (arrived.find(event) == std::string::npos)
      arrived += x.client.receive_some();
  }
}

WIRE_TEST(Streaming, SingleByteArrivesWithoutWaitingForMore, "contract: streamed at once") {
  Exchange x = exchange(get("/"));
  x.backend.send("HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\n");
  static_cast<void>(receive_head(x.client));
  for (int i = 0; i < 20; ++i) {
    x.backend.send("b");
    x.client.expect("b");
  }
}

WIRE_TEST(Streaming, ChunkArrivesWithoutWaitingForMore, "contract: streamed at once") {
  Exchange x = exchange(get("/"));
  x.backend.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
  static_cast<void>(receive_head(x.client));
  for (int i = 0; i < 20; ++i) {
    x.backend.send("3\r\nabc\r\n");
    x.client.expect("3\r\nabc\r\n");
  }
  x.backend.send("0\r\n\r\n");
  x.client.expect("0\r\n\r\n");
}

WIRE_TEST(Streaming, PartOfAChunkArrivesWithoutWaitingForItsEnd,
          "contract: a byte arrives at once") {
  Exchange x = exchange(get("/"));
  x.backend.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nff\r\nhello");
  static_cast<void>(receive_head(x.client));
  std::string arrived;
  while (arrived.find("hello") == std::string::npos)
    arrived += x.client.receive_some();
}

WIRE_TEST(Streaming, Body900000BytesBehindACloseArrivesWhole,
          "peers: truncated at 772,251 bytes (#86)") {
  const std::string body = pattern(900'000);
  for (const std::string& framing : {"Content-Length: 900000\r\n"s, ""s}) {
    Exchange x = exchange("GET / HTTP/1.0\r\nHost: localhost\r\n\r\n");
    x.backend.send("HTTP/1.1 200 OK\r\n" + framing + "\r\n");
    static_cast<void>(receive_head(x.client));
    std::string arrived = pump(x.backend, x.client, body);
    x.backend.close();
    arrived += x.client.receive_rest().bytes;
    EXPECT_TRUE(arrived == body);
  }
}

WIRE_TEST(Streaming, SlowClientGetsEveryByteAfterTheBackendIsGone,
          "contract: read what the guest sent to the end") {
  const std::string body = pattern(2 * kMiB);
  Connection client = Connection::with_receive_window(site().gateway.address(), 4096);
  client.send(get("/"));
  Connection backend = site().root.accept();
  static_cast<void>(receive_head(backend));
  backend.send("HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n");
  static_cast<void>(receive_head(client));
  std::string arrived;
  std::size_t sent = 0;
  while (sent < body.size()) {
    sent += backend.send_until_stalled(std::string_view(body).substr(sent), milliseconds(1));
    if (client.readable()) arrived += client.receive_some(4096);
  }
  backend.close();
  arrived += client.receive(body.size() - arrived.size());
  EXPECT_TRUE(arrived == body);
}

WIRE_TEST(Streaming, Download64MiBArrivesByteForByte, "contract: streamed") {
  const std::string body = pattern(64 * kMiB);
  Exchange x = exchange(get("/"));
  x.backend.send("HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n");
  static_cast<void>(receive_head(x.client));
  EXPECT_TRUE(pump(x.backend, x.client, body) == body);
  EXPECT_LT(site().gateway.resident_kib(), allowance_kib(64 * 1024));
}

WIRE_TEST(Streaming, Upload64MiBArrivesByteForByte, "contract: streamed") {
  const std::string body = pattern(64 * kMiB);
  Exchange x = exchange("PUT / HTTP/1.1\r\nHost: localhost\r\nContent-Length: " +
                        std::to_string(body.size()) + "\r\n\r\n");
  EXPECT_TRUE(pump(x.client, x.backend, body) == body);
  x.backend.send(ok("stored"));
  EXPECT_EQ(receive_response(x.client).body, "stored");
}

WIRE_TEST(Streaming, ContentLengthBeyondFourGiBIsForwarded, "RFC 9110 8.6") {
  Exchange x =
      exchange("PUT / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5368709120\r\n\r\nab");
  EXPECT_EQ(x.request.one("content-length"), "5368709120");
  x.backend.expect("ab");
  x.client.close();
  EXPECT_EQ(x.backend.receive_rest().bytes, "");
}

WIRE_TEST(Streaming, ResponseLengthBeyondFourGiBIsForwarded, "RFC 9110 8.6") {
  Exchange x = exchange(get("/"));
  x.backend.send("HTTP/1.1 200 OK\r\nContent-Length: 5368709120\r\n\r\nab");
  EXPECT_EQ(receive_head(x.client).one("content-length"), "5368709120");
  x.client.expect("ab");
  x.client.close();
  x.backend.expect_end();
}

WIRE_TEST(Backpressure, StalledClientStopsTheBackendAndMemoryStays,
          "peers: one stalled client: memory grows by 440 MiB") {
  Exchange x = exchange(get("/"));
  const std::size_t before = site().gateway.resident_kib();
  x.backend.send("HTTP/1.1 200 OK\r\n\r\n");
  static_cast<void>(receive_head(x.client));
  const std::size_t taken = fill(x.backend, 200 * kMiB);
  EXPECT_LT(taken, 50 * kMiB) << "the backend was never held back";
  EXPECT_LT(site().gateway.resident_kib(), before + allowance_kib(4 * 1024));
  x.client.reset();
  x.backend.expect_end();
}

WIRE_TEST(Backpressure, StalledBackendStopsTheUploadAndNothingIsLost,
          "peers: an upload to a slow backend is cut at 256 KiB pending") {
  const std::string body = pattern(40 * kMiB);
  Exchange x = exchange("PUT / HTTP/1.1\r\nHost: localhost\r\nContent-Length: " +
                        std::to_string(body.size()) + "\r\n\r\n");
  const std::size_t before = site().gateway.resident_kib();
  const std::size_t taken = x.client.send_until_stalled(body, milliseconds(300));
  EXPECT_LT(taken, body.size()) << "the client was never held back";
  EXPECT_LT(site().gateway.resident_kib(), before + allowance_kib(4 * 1024));
  std::string arrived;
  std::size_t sent = taken;
  while (arrived.size() < body.size()) {
    if (sent < body.size()) {
      sent += x.client.send_until_stalled(std::string_view(body).substr(sent), milliseconds(0));
    }
    arrived += x.backend.receive_some();
  }
  EXPECT_TRUE(arrived == body);
  x.backend.send(ok("stored"));
  EXPECT_EQ(receive_response(x.client).body, "stored");
}

WIRE_TEST(Backpressure, StalledChunkedUploadIsBounded,
          "contract: memory per connection is bounded") {
  Exchange x = exchange(post_chunked("/", ""));
  const std::size_t before = site().gateway.resident_kib();
  std::string chunk = "100000\r\n" + std::string(kMiB, 'c') + "\r\n";
  std::size_t total = 0;
  for (int i = 0; i < 100; ++i) {
    const std::size_t sent = x.client.send_until_stalled(chunk, milliseconds(300));
    total += sent;
    if (sent < chunk.size()) break;
  }
  EXPECT_LT(total, 50 * kMiB);
  EXPECT_LT(site().gateway.resident_kib(), before + allowance_kib(4 * 1024));
  x.client.reset();
  static_cast<void>(x.backend.receive_rest());
}

WIRE_TEST(Backpressure, OneStalledClientDoesNotSlowAnother, "contract: bounded buffers") {
  Exchange stalled = exchange(get("/"));
  stalled.backend.send("HTTP/1.1 200 OK\r\n\r\n");
  static_cast<void>(fill(stalled.backend, 100 * kMiB));
  Exchange x = exchange(get("/"));
  x.backend.send(ok("quick"));
  EXPECT_EQ(receive_response(x.client).body, "quick");
}

// Who goes away -------------------------------------------------------------------

WIRE_TEST(GoingAway, ClientThatLeavesBeforeTheAnswerEndsTheBackendsConnection,
          "contract: client gone") {
  Exchange x = exchange(get("/"));
  x.client.close();
  x.backend.expect_end();
}

WIRE_TEST(GoingAway, ClientThatResetsBeforeTheAnswerEndsTheBackendsConnection,
          "contract: client gone") {
  Exchange x = exchange(get("/"));
  x.client.reset();
  x.backend.expect_end();
}

WIRE_TEST(GoingAway, ClientThatLeavesInsideTheAnswerEndsTheBackendsConnection,
          "contract: client gone") {
  Exchange x = exchange(get("/"));
  x.backend.send("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n: x\n\n");
  static_cast<void>(receive_head(x.client));
  x.client.close();
  x.backend.expect_end();
}

WIRE_TEST(GoingAway, ClientThatLeavesBeforeASilentStreamsFirstByte, "contract: client gone") {
  Exchange x = exchange(get("/"));
  x.backend.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
  static_cast<void>(receive_head(x.client));
  x.client.reset();
  x.backend.expect_end();
}

WIRE_TEST(GoingAway, ClientThatLeavesInsideItsUploadEndsTheBackendsConnection,
          "contract: client gone") {
  Exchange x = exchange("PUT / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\nab");
  x.backend.expect("ab");
  x.client.reset();
  EXPECT_EQ(x.backend.receive_rest().bytes, "");
}

WIRE_TEST(GoingAway, StalledClientThatLeavesFreesTheBackend, "contract: client gone") {
  Exchange x = exchange(get("/"));
  x.backend.send("HTTP/1.1 200 OK\r\n\r\n");
  static_cast<void>(fill(x.backend, 100 * kMiB));
  x.client.reset();
  x.backend.expect_end();
}

WIRE_TEST(GoingAway, BackendIsNotHalfClosedBeforeItsAnswer,
          "peers: 502 with Vite and Kestrel (#69, #84)") {
  for (const std::string& request :
       {get("/"), post("/", "hello"), post_chunked("/", "1\r\na\r\n0\r\n\r\n"),
        "GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"s}) {
    Exchange x = exchange(request);
    if (request.find("hello") != std::string::npos) x.backend.expect("hello");
    if (request.find("chunked") != std::string::npos) x.backend.expect("1\r\na\r\n0\r\n\r\n");
    x.backend.expect_silence(milliseconds(150));
    x.backend.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\na");
    static_cast<void>(receive_head(x.client));
    x.client.expect("a");
    x.backend.expect_silence(milliseconds(50));
    x.backend.send("b");
    x.client.expect("b");
  }
}

WIRE_TEST(GoingAway, BackendThatLingersAfterItsAnswerIsClosed, "contract: Connection: close") {
  Exchange x = exchange(get("/"));
  x.backend.send(ok("done"));
  EXPECT_EQ(receive_response(x.client).body, "done");
  x.backend.expect_end();
}

// Answers during the upload -------------------------------------------------------

const std::string kUpload =
    "PUT / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100000000\r\n\r\nsome of it";

WIRE_TEST(EarlyResponse, RefusalDuringAnUploadReachesTheClient,
          "peers: 413 and close: the client gets nothing") {
  Exchange x = exchange(kUpload);
  x.backend.send("HTTP/1.1 413 Too Large\r\nContent-Length: 3\r\nConnection: close\r\n\r\nbig");
  const Response response = receive_response(x.client);
  EXPECT_EQ(response.status, 413);
  EXPECT_EQ(response.body, "big");
}

WIRE_TEST(EarlyResponse, RefusalAndCloseDuringAnUploadReachTheClient,
          "peers: 413 and close: the client gets nothing") {
  Exchange x = exchange(kUpload);
  x.backend.send("HTTP/1.1 413 Too Large\r\nContent-Length: 3\r\nConnection: close\r\n\r\nbig");
  x.backend.close();  // with unread bytes: a reset
  static_cast<void>(x.client.send_until_stalled(std::string(8 * kMiB, 'u'), milliseconds(200)));
  const Response response = receive_response(x.client);
  EXPECT_EQ(response.status, 413);
  EXPECT_EQ(response.body, "big");
}

WIRE_TEST(EarlyResponse, RefusalOfAStalledUploadReachesTheClient,
          "contract: answers before the body has ended") {
  Exchange x = exchange(kUpload);
  static_cast<void>(x.client.send_until_stalled(std::string(80 * kMiB, 'u'), milliseconds(300)));
  x.backend.send("HTTP/1.1 507 Full\r\nContent-Length: 4\r\n\r\nfull");
  const Response response = receive_response(x.client);
  EXPECT_EQ(response.status, 507);
  EXPECT_EQ(response.body, "full");
}

WIRE_TEST(EarlyResponse, RestOfTheUploadIsNoRequest, "RFC 9112 9.3") {
  const std::string inside = get("/smuggled");
  Exchange x = exchange("PUT / HTTP/1.1\r\nHost: localhost\r\nContent-Length: " +
                        std::to_string(inside.size() + 2) + "\r\n\r\nab");
  x.backend.send("HTTP/1.1 403 No\r\nContent-Length: 0\r\n\r\n");
  EXPECT_EQ(receive_response(x.client).status, 403);
  static_cast<void>(x.client.send_until_stalled(inside, milliseconds(50)));
  x.client.close();
  x.backend.close();
  expect_only_marker_reaches_backends(site());
}

WIRE_TEST(EarlyResponse, UploadGoesOnBehindAnEarlyAnswer, "contract: full duplex") {
  Exchange x = exchange(post_chunked("/", "1\r\na\r\n"));
  x.backend.expect("1\r\na\r\n");
  x.backend.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nA\r\n");
  static_cast<void>(receive_head(x.client));
  x.client.expect("1\r\nA\r\n");
  for (int i = 0; i < 10; ++i) {
    x.client.send("2\r\nup\r\n");
    x.backend.expect("2\r\nup\r\n");
    x.backend.send("4\r\ndown\r\n");
    x.client.expect("4\r\ndown\r\n");
  }
  x.client.send("0\r\n\r\n");
  x.backend.expect("0\r\n\r\n");
  x.backend.send("0\r\n\r\n");
  x.client.expect("0\r\n\r\n");
}

WIRE_TEST(EarlyResponse, AnswerThatGoesOnAfterTheUploadEndedArrives, "contract: full duplex") {
  Exchange x = exchange(post_chunked("/", ""));
  x.backend.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nA\r\n");
  static_cast<void>(receive_head(x.client));
  x.client.expect("1\r\nA\r\n");
  x.client.send("1\r\na\r\n0\r\n\r\n");
  x.backend.expect("1\r\na\r\n0\r\n\r\n");
  x.backend.send("1\r\nB\r\n0\r\n\r\n");
  x.client.expect("1\r\nB\r\n0\r\n\r\n");
}

WIRE_TEST(EarlyResponse, BadChunkBehindAnEarlyAnswerEndsBothConnections, "RFC 9112 7.1") {
  Exchange x = exchange(post_chunked("/", "1\r\na\r\n"));
  x.backend.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nA\r\n");
  static_cast<void>(receive_head(x.client));
  x.client.expect("1\r\nA\r\n");
  x.client.send("xyz\r\n" + get("/smuggled"));
  EXPECT_FALSE(x.client.receive_rest().bytes.ends_with("0\r\n\r\n"));
  EXPECT_EQ(x.backend.receive_rest().bytes, "1\r\na\r\n");
  expect_only_marker_reaches_backends(site());
}

}  // namespace
}  // namespace gondolin::wiretest
