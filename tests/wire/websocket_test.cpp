// WebSocket: the handshake, the tunnel behind it, and every way to refuse, break
// or misuse either.
#include "harness/rejected.hpp"
#include "harness/wire_test.hpp"

namespace gondolin::wiretest {
namespace {

constexpr std::string_view kUpgradeFields =
    "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";

const std::string kSwitching =
    "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";

std::string upgrade(std::string_view target, std::string_view more = "") {
  return get(target, std::string(kUpgradeFields) + std::string(more));
}

// An open tunnel through `at`.
Exchange tunnel(Site& at = site()) {
  Exchange x = exchange(at, at.root, upgrade("/ws"));
  x.backend.send(kSwitching);
  const Response response = receive_response(x.client);
  if (response.status != 101) throw WireFailure("no tunnel: " + response.head.start_line);
  return x;
}

void expect_echo(Exchange& x, std::string_view bytes = "ping") {
  x.client.send(bytes);
  x.backend.expect(bytes);
  x.backend.send(bytes);
  x.client.expect(bytes);
}

// The handshake -------------------------------------------------------------------

std::string without(std::string_view line) {
  std::string fields(kUpgradeFields);
  fields.erase(fields.find(line), line.size());
  return get("/ws", fields);
}

std::string swapped(std::string_view line, std::string_view other) {
  std::string fields(kUpgradeFields);
  fields.replace(fields.find(line), line.size(), other);
  return get("/ws", fields);
}

const std::string kKey = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";

const std::vector<RejectedRow> kBadHandshakes = {
    {"HandshakeWithoutKeyIs400", "contract: else 400", without(kKey)},
    {"HandshakeWithoutVersionIs400", "contract: else 400",
     without("Sec-WebSocket-Version: 13\r\n")},
    {"HandshakeWithPostIs400", "contract: needs GET",
     "POST /ws HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n" + std::string(kUpgradeFields) +
         "\r\n"},
    {"HandshakeWithEmptyKeyIs400", "RFC 6455 4.2.1", swapped(kKey, "Sec-WebSocket-Key:\r\n")},
    {"HandshakeWithTwoKeysIs400", "RFC 6455 11.3.1", upgrade("/ws", kKey)},
};

// A 400 here may keep the connection open; only the answer and the silence behind
// it are required.
void expect_refused_handshake(const RejectedRow& row) {
  Connection client = site().connect();
  client.send(row.request);
  expect_error(client, row.statuses);
  client.close();
  expect_only_marker_reaches_backends(site());
}

WIRE_ROWS(WebSocket, kBadHandshakes, expect_refused_handshake);

WIRE_TEST(WebSocket, HandshakePassesWithItsFields, "contract: the handshake passes") {
  Exchange x = exchange(upgrade("/ws?token=1",
                                "Sec-WebSocket-Protocol: vite-hmr\r\n"
                                "Sec-WebSocket-Extensions: permessage-deflate\r\n"
                                "Origin: http://localhost\r\nCookie: a=b\r\n"));
  EXPECT_EQ(x.request.start_line, "GET /ws?token=1 HTTP/1.1");
  EXPECT_EQ(lower(x.request.one("connection")), "upgrade");
  EXPECT_EQ(lower(x.request.one("upgrade")), "websocket");
  EXPECT_EQ(x.request.one("sec-websocket-key"), "dGhlIHNhbXBsZSBub25jZQ==");
  EXPECT_EQ(x.request.one("sec-websocket-version"), "13");
  EXPECT_EQ(x.request.one("sec-websocket-protocol"), "vite-hmr");
  EXPECT_EQ(x.request.one("sec-websocket-extensions"), "permessage-deflate");
  EXPECT_EQ(x.request.one("origin"), "http://localhost");
  EXPECT_EQ(x.request.one("cookie"), "a=b");
  EXPECT_EQ(x.request.one("host"), "localhost");
  x.backend.send(kSwitching);
  const Response response = receive_response(x.client);
  EXPECT_EQ(response.status, 101);
  EXPECT_EQ(lower(response.head.one("upgrade")), "websocket");
  EXPECT_TRUE(response.head.lists("connection", "upgrade"));
  EXPECT_EQ(response.head.one("sec-websocket-accept"), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
  EXPECT_FALSE(response.head.has("content-length"));
  EXPECT_FALSE(response.head.has("transfer-encoding"));
  expect_echo(x);
}

WIRE_TEST(WebSocket, HandshakeIsRoutedAndStripped,
          "contract: the same routing, stripping, X-Forwarded-*") {
  Exchange x = exchange(site(), site().api, upgrade("/api/live"));
  EXPECT_EQ(x.request.start_line, "GET /live HTTP/1.1");
  EXPECT_EQ(x.request.one("x-forwarded-prefix"), "/api");
  EXPECT_EQ(x.request.one("x-forwarded-for"), "127.0.0.1");
  EXPECT_EQ(x.request.one("x-forwarded-host"), "localhost");
  EXPECT_EQ(x.request.one("x-forwarded-proto"), "http");
  EXPECT_TRUE(x.request.one("via").ends_with("gondolin"));
  x.backend.send(kSwitching);
  EXPECT_EQ(receive_response(x.client).status, 101);
  expect_echo(x);
}

WIRE_TEST(WebSocket, FirefoxSendsKeepAliveAndUpgrade, "RFC 6455 4.2.1") {
  Exchange x = exchange(swapped("Connection: Upgrade\r\n", "Connection: keep-alive, Upgrade\r\n"));
  EXPECT_EQ(lower(x.request.one("connection")), "upgrade");
  x.backend.send(kSwitching);
  EXPECT_EQ(receive_response(x.client).status, 101);
  expect_echo(x);
}

WIRE_TEST(WebSocket, TokensAreCaseInsensitive, "RFC 6455 4.2.1") {
  Exchange x = exchange(get("/ws",
                            "CONNECTION: UPGRADE\r\nUPGRADE: WebSocket\r\n"
                            "SEC-WEBSOCKET-VERSION: 13\r\n"
                            "SEC-WEBSOCKET-KEY: dGhlIHNhbXBsZSBub25jZQ==\r\n"));
  x.backend.send(kSwitching);
  EXPECT_EQ(receive_response(x.client).status, 101);
  expect_echo(x);
}

WIRE_TEST(WebSocket, FieldsNamedByConnectionAreStillRemoved, "RFC 9110 7.6.1") {
  Exchange x =
      exchange(swapped("Connection: Upgrade\r\n", "Connection: Upgrade, X-Hop\r\nX-Hop: 1\r\n"));
  EXPECT_FALSE(x.request.has("x-hop"));
  EXPECT_EQ(lower(x.request.one("connection")), "upgrade");
  x.backend.send(kSwitching);
  EXPECT_EQ(receive_response(x.client).status, 101);
}

WIRE_TEST(WebSocket, HandshakeByteByByteOpens, "RFC 6455 4") {
  Connection client = site().connect();
  static_cast<void>(client.drip(upgrade("/ws")));
  Connection backend = site().root.accept();
  static_cast<void>(receive_head(backend));
  static_cast<void>(backend.drip(kSwitching));
  EXPECT_EQ(receive_response(client).status, 101);
}

// RFC 9110 7.8 reads such a request as plain HTTP, the contract as a bad handshake.
WIRE_TEST(WebSocket, UpgradeWithoutConnectionOpensNoTunnel, "contract: needs Connection: upgrade") {
  Connection client = site().connect();
  client.send(without("Connection: Upgrade\r\n"));
  std::optional<Connection> backend;
  ASSERT_TRUE(eventually([&] {
    backend = site().root.accept_pending();
    return backend || client.readable();
  }));
  if (!backend) {
    expect_error(client, {400});
    return;
  }
  const Head arrived = receive_head(*backend);
  EXPECT_FALSE(arrived.has("upgrade"));
  EXPECT_EQ(arrived.one("connection"), "close");
  backend->send(ok("plain"));
  EXPECT_EQ(receive_response(client).body, "plain");
}

WIRE_TEST(WebSocket, ConnectionWithoutUpgradeIsPlainHttp, "RFC 9110 7.8") {
  Exchange x = exchange(without("Upgrade: websocket\r\n"));
  EXPECT_EQ(x.request.one("connection"), "close");
  x.backend.send(ok("plain"));
  EXPECT_EQ(receive_response(x.client).body, "plain");
}

WIRE_TEST(WebSocket, UpgradeFromHttp10IsIgnored, "RFC 9110 7.8") {
  Exchange x =
      exchange("GET /ws HTTP/1.0\r\nHost: localhost\r\n" + std::string(kUpgradeFields) + "\r\n");
  EXPECT_FALSE(x.request.has("upgrade"));
  x.backend.send(ok("plain"));
  EXPECT_EQ(receive_response(x.client).body, "plain");
  x.client.expect_end();
}

WIRE_TEST(WebSocket, OtherUpgradesAreDropped, "contract: upgrade to anything else") {
  for (const std::string_view protocol : {"h2c", "TLS/1.0", "foo", "websocketx", "xwebsocket"}) {
    Exchange x =
        exchange(get("/", "Connection: Upgrade\r\nUpgrade: " + std::string(protocol) + "\r\n"));
    EXPECT_FALSE(x.request.has("upgrade")) << protocol;
    EXPECT_EQ(x.request.one("connection"), "close");
    x.backend.send(ok("plain"));
    EXPECT_EQ(receive_response(x.client).body, "plain");
  }
}

WIRE_TEST(WebSocket, RefusedUpgradeIsRelayedWithItsBody, "contract: a non-101 answer") {
  Exchange x = exchange(upgrade("/ws"));
  x.backend.send("HTTP/1.1 403 Forbidden\r\nContent-Length: 4\r\nX-A: 1\r\n\r\nno\n\n");
  const Response response = receive_response(x.client);
  EXPECT_EQ(response.status, 403);
  EXPECT_EQ(response.body, "no\n\n");
  EXPECT_EQ(response.head.one("x-a"), "1");
}

WIRE_TEST(WebSocket, RefusedUpgradeWithALateBodyIsRelayed, "contract: a non-101 answer") {
  Exchange x = exchange(upgrade("/ws"));
  x.backend.send("HTTP/1.1 401 Unauthorized\r\nTransfer-Encoding: chunked\r\n\r\n");
  EXPECT_EQ(receive_head(x.client).start_line, "HTTP/1.1 401 Unauthorized");
  x.client.expect_silence(milliseconds(30));
  x.backend.send("2\r\nno\r\n0\r\n\r\n");
  x.client.expect("2\r\nno\r\n0\r\n\r\n");
}

WIRE_TEST(WebSocket, RefusedUpgradeLeavesTheConnectionInStep, "contract: a non-101 answer") {
  Exchange x = exchange(upgrade("/ws"));
  x.backend.send("HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n");
  const Response response = receive_response(x.client);
  EXPECT_EQ(response.status, 404);
  if (response.head.lists("connection", "close")) {
    x.client.expect_end();
  } else {
    x.client.send(get("/closed"));
    expect_error(x.client, {502});
  }
}

WIRE_TEST(WebSocket, OrdinaryAnswerToAnUpgradeIsRelayed, "contract: a non-101 answer") {
  Exchange x = exchange(upgrade("/ws"));
  x.backend.send(ok("just a page"));
  EXPECT_EQ(receive_response(x.client).body, "just a page");
}

WIRE_TEST(WebSocket, SilentCloseDuringTheHandshakeIs502, "contract: 502") {
  Exchange x = exchange(upgrade("/ws"));
  x.backend.close();
  expect_error(x.client, {502});
}

WIRE_TEST(WebSocket, ResetDuringTheHandshakeIs502, "contract: 502") {
  Exchange x = exchange(upgrade("/ws"));
  x.backend.reset();
  expect_error(x.client, {502});
}

WIRE_TEST(WebSocket, RefusedConnectionIs502, "contract: 502, connect refused") {
  Connection client = site().connect();
  client.send(upgrade("/closed/ws"));
  expect_error(client, {502});
}

WIRE_TEST(WebSocket, SilentBackendIs504, "contract: 504") {
  Exchange x = exchange(impatient_site(), impatient_site().root, upgrade("/ws"));
  expect_error(x.client, {504});
  x.backend.expect_end();
}

WIRE_TEST(WebSocket, EarlyHintsBeforeTheSwitchPass, "RFC 9110 15.2") {
  Exchange x = exchange(upgrade("/ws"));
  x.backend.send("HTTP/1.1 103 Early Hints\r\n\r\n" + kSwitching);
  EXPECT_EQ(receive_response(x.client).status, 103);
  EXPECT_EQ(receive_response(x.client).status, 101);
  expect_echo(x);
}

WIRE_TEST(WebSocket, SwitchToAnotherProtocolIs502,
          "contract: only for an accepted WebSocket upgrade") {
  Exchange x = exchange(upgrade("/ws"));
  x.backend.send("HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\nConnection: Upgrade\r\n\r\n");
  expect_error(x.client, {502});
}

WIRE_TEST(WebSocket, DisabledWebSocketsAre501, "contract: --disable-websockets") {
  Connection client = no_websocket_site().connect();
  client.send(upgrade("/ws"));
  const Response response = receive_response(client);
  EXPECT_EQ(response.status, 501);
  EXPECT_EQ(response.body, "websocket upgrades disabled\n");
  client.close();
  expect_only_marker_reaches_backends(no_websocket_site());
}

WIRE_TEST(WebSocket, DisabledWebSocketsLeaveHttpAlone, "contract: --disable-websockets") {
  Exchange x = exchange(no_websocket_site(), no_websocket_site().root,
                        get("/", "Connection: Upgrade\r\nUpgrade: h2c\r\n"));
  x.backend.send(ok("plain"));
  EXPECT_EQ(receive_response(x.client).body, "plain");
}

WIRE_TEST(WebSocket, PipelinedUpgradeWaitsForTheAnswerBeforeIt, "RFC 9112 9.3.2") {
  Exchange x = exchange(get("/first") + upgrade("/ws"));
  x.backend.send(ok("one"));
  EXPECT_EQ(receive_response(x.client).body, "one");
  Connection backend = site().root.accept();
  EXPECT_EQ(receive_head(backend).start_line, "GET /ws HTTP/1.1");
  backend.send(kSwitching);
  EXPECT_EQ(receive_response(x.client).status, 101);
}

// The tunnel ----------------------------------------------------------------------

WIRE_TEST(Tunnel, BytesPassBothWays, "contract: the gateway tunnels bytes") {
  Exchange x = tunnel();
  for (int i = 0; i < 20; ++i)
    expect_echo(x, "message " + std::to_string(i));
}

WIRE_TEST(Tunnel, EveryByteValuePasses, "contract: the gateway tunnels bytes") {
  std::string bytes;
  for (int i = 0; i < 256; ++i)
    bytes += static_cast<char>(i);
  Exchange x = tunnel();
  expect_echo(x, bytes);
}

WIRE_TEST(Tunnel, BytesThatLookLikeHttpPass, "contract: the gateway tunnels bytes") {
  Exchange x = tunnel();
  expect_echo(x, get("/smuggled"));
  expect_echo(x, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
  expect_only_marker_reaches_backends(site());
}

WIRE_TEST(Tunnel, BytesTheClientSendsWithItsHandshakeAreNotLost,
          "contract: bytes sent early are not lost") {
  Exchange x = exchange(upgrade("/ws") + "early");
  x.backend.send(kSwitching);
  EXPECT_EQ(receive_response(x.client).status, 101);
  x.backend.expect("early");
  expect_echo(x);
}

WIRE_TEST(Tunnel, BytesTheClientSendsEarlyReachNobodyBeforeTheSwitch, "RFC 9110 7.8") {
  Exchange x = exchange(upgrade("/ws") + get("/smuggled"));
  x.backend.expect_silence(milliseconds(50));
  x.backend.send("HTTP/1.1 403 No\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
  EXPECT_EQ(receive_response(x.client).status, 403);
  x.client.close();
  while (auto served = site().root.accept_pending()) {
    EXPECT_EQ(receive_head(*served).start_line, "GET /smuggled HTTP/1.1");
  }
}

WIRE_TEST(Tunnel, BytesTheBackendSendsWithItsSwitchAreNotLost,
          "contract: bytes sent early are not lost") {
  Exchange x = exchange(upgrade("/ws"));
  x.backend.send(kSwitching + "hello from the server");
  EXPECT_EQ(receive_response(x.client).status, 101);
  x.client.expect("hello from the server");
  expect_echo(x);
}

// The client has sent "last" and ended its side.
void expect_clients_half_close(Exchange& x) {
  x.backend.expect("last");
  EXPECT_EQ(x.backend.expect_end(), End::kFin);
  x.backend.send("still here");
  x.client.expect("still here");
  x.backend.close();
  EXPECT_EQ(x.client.expect_end(), End::kFin);
}

WIRE_TEST(Tunnel, ClientsHalfCloseIsAHalfClose, "contract: a half-close passes through") {
  Exchange x = tunnel();
  x.client.send("last");
  x.client.finish();
  expect_clients_half_close(x);
}

WIRE_TEST(Tunnel, HalfCloseBehindTheHandshakeIsAHalfClose,
          "contract: a half-close passes through") {
  Exchange x = exchange(upgrade("/ws") + "last");
  x.client.finish();
  x.backend.send(kSwitching);
  EXPECT_EQ(receive_response(x.client).status, 101);
  expect_clients_half_close(x);
}

WIRE_TEST(Tunnel, BackendsHalfCloseIsAHalfClose, "contract: a half-close passes through") {
  Exchange x = tunnel();
  x.backend.send("last");
  x.backend.finish();
  x.client.expect("last");
  EXPECT_EQ(x.client.expect_end(), End::kFin);
  x.client.send("still here");
  x.backend.expect("still here");
  x.client.close();
  EXPECT_EQ(x.backend.expect_end(), End::kFin);
}

WIRE_TEST(Tunnel, ClientsResetEndsTheBackend, "contract: either end's reset ends both") {
  Exchange x = tunnel();
  x.client.reset();
  x.backend.expect_end();
}

WIRE_TEST(Tunnel, BackendsResetEndsTheClient, "contract: either end's reset ends both") {
  Exchange x = tunnel();
  x.backend.reset();
  x.client.expect_end();
}

WIRE_TEST(Tunnel, ResetAfterAHalfCloseEndsTheOther, "contract: either end's reset ends both") {
  Exchange x = tunnel();
  x.client.finish();
  EXPECT_EQ(x.backend.expect_end(), End::kFin);
  x.client.reset();
  const std::string piece(1 << 16, 'x');
  EXPECT_TRUE(eventually(
      [&] { return x.backend.send_until_stalled(piece, milliseconds(10)) < piece.size(); }));
}

WIRE_TEST(Tunnel, IdleTunnelStaysOpen, "contract: an idle tunnel stays open") {
  Exchange x = tunnel(impatient_site());
  x.client.expect_silence(milliseconds(1000));
  expect_echo(x);
}

WIRE_TEST(Tunnel, BulkPassesBothWaysAtOnce, "contract: the gateway tunnels bytes") {
  Exchange x = tunnel();
  const std::string up(20 << 20, 'u');
  const std::string down(20 << 20, 'd');
  std::size_t sent_up = 0;
  std::size_t sent_down = 0;
  std::size_t got_up = 0;
  std::size_t got_down = 0;
  while (got_up < up.size() || got_down < down.size()) {
    sent_up += x.client.send_until_stalled(std::string_view(up).substr(sent_up), milliseconds(0));
    sent_down +=
        x.backend.send_until_stalled(std::string_view(down).substr(sent_down), milliseconds(0));
    if (x.backend.readable()) got_up += x.backend.receive_some().size();
    if (x.client.readable()) got_down += x.client.receive_some().size();
  }
  EXPECT_EQ(got_up, up.size());
  EXPECT_EQ(got_down, down.size());
}

WIRE_TEST(Tunnel, StalledReaderStopsTheWriter, "contract: memory per connection is bounded") {
  Exchange x = tunnel();
  const std::size_t before = site().gateway.resident_kib();
  const std::string bytes(60 << 20, 'b');
  EXPECT_LT(x.backend.send_until_stalled(bytes, milliseconds(300)), bytes.size());
  EXPECT_LT(site().gateway.resident_kib(), before + allowance_kib(4 * 1024));
  x.client.send("the other way is free");
  x.backend.expect("the other way is free");
}

WIRE_TEST(Tunnel, HundredTunnelsAtOnce, "contract: the gateway tunnels bytes") {
  std::vector<Exchange> open;
  for (int i = 0; i < 100; ++i)
    open.push_back(tunnel());
  for (Exchange& x : open)
    expect_echo(x);
  for (Exchange& x : open)
    x.client.close();
  for (Exchange& x : open)
    x.backend.expect_end();
}

WIRE_TEST(Tunnel, ClientResetsAtEveryMomentOfTheHandshake,
          "peers: a reset during a handshake kills the host process") {
  const std::string request = upgrade("/ws");
  for (std::size_t cut = 1; cut < request.size(); cut += 11) {
    Connection client = site().connect();
    client.send(std::string_view(request).substr(0, cut));
    client.reset();
  }
  expect_only_marker_reaches_backends(site());
  for (const bool answered : {false, true}) {
    Exchange x = exchange(request);
    if (answered) x.backend.send(kSwitching.substr(0, 40));
    x.client.reset();
    x.backend.expect_end();
  }
  for (int i = 0; i < 50; ++i) {
    Exchange x = exchange(request);
    x.client.reset();
    static_cast<void>(x.backend.send_until_stalled(kSwitching + "frame", milliseconds(0)));
    static_cast<void>(x.backend.receive_rest());
  }
  Exchange x = tunnel();
  expect_echo(x);
}

WIRE_TEST(Tunnel, BackendResetsAtEveryMomentOfTheHandshake,
          "peers: a reset during a handshake kills the host process") {
  for (std::size_t cut = 0; cut < kSwitching.size(); cut += 9) {
    Exchange x = exchange(upgrade("/ws"));
    x.backend.send(std::string_view(kSwitching).substr(0, cut));
    x.backend.reset();
    expect_error(x.client, {502});
  }
}

}  // namespace
}  // namespace gondolin::wiretest
