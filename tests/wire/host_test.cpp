// Host: its syntax (RFC 9112 3.2), and who may come in on a loopback bind.
#include "harness/rejected.hpp"
#include "harness/wire_test.hpp"

namespace gondolin::wiretest {
namespace {

std::string hosted(std::string_view line) {
  return "GET / HTTP/1.1\r\n" + std::string(line) + "\r\n";
}

std::string host(std::string_view value) {
  return hosted("Host: " + std::string(value) + "\r\n");
}

const std::vector<RejectedRow> kBadHosts = {
    {"MissingHostIs400", "RFC 9112 3.2", hosted("")},
    {"MissingHostWithAnAbsoluteTargetIs400", "RFC 9112 3.2",
     "GET http://localhost/ HTTP/1.1\r\n\r\n"},
    {"TwoHostsAre400", "RFC 9112 3.2", hosted("Host: localhost\r\nHost: 127.0.0.1\r\n")},
    {"TwoEqualHostsAre400", "RFC 9112 3.2", hosted("Host: localhost\r\nHost: localhost\r\n")},
    {"TwoHostsInDifferentCaseAre400", "RFC 9112 3.2",
     hosted("Host: localhost\r\nX: y\r\nHOST: localhost\r\n")},
    {"SecondHostThatIsEmptyIs400", "RFC 9112 3.2", hosted("Host: localhost\r\nHost:\r\n")},
    {"HostWithASpaceIs400", "RFC 9112 3.2", host("local host")},
    {"HostWithATabIs400", "RFC 9112 3.2", host("local\thost")},
    {"HostWithASlashIs400", "RFC 9112 3.2", host("localhost/x")},
    {"HostWithASchemeIs400", "RFC 9112 3.2", host("http://localhost")},
    {"HostWithUserinfoIs400", "RFC 9112 3.2", host("user@localhost")},
    {"HostListIs400", "RFC 9112 3.2", host("localhost, evil.example"), {400, 421}},
    {"HostWithAQueryIs400", "RFC 9112 3.2", host("localhost?x")},
    {"HostWithAFragmentIs400", "RFC 9112 3.2", host("localhost#x")},
    {"HostWithABackslashIs400", "RFC 9112 3.2", host("localhost\\x")},
    {"HostWithAnOpenBracketIs400", "RFC 3986 3.2.2", host("[::1")},
    {"HostWithAClosingBracketIs400", "RFC 3986 3.2.2", host("::1]")},
    {"HostWithTextBehindTheBracketIs400", "RFC 3986 3.2.2", host("[::1]x")},
    {"HostWithTextBeforeTheBracketIs400", "RFC 3986 3.2.2", host("x[::1]")},
    {"HostWithABareIpv6AddressIs400", "RFC 3986 3.2.2", host("::1")},
    {"HostWithANameInBracketsIs400", "RFC 3986 3.2.2", host("[localhost]"), {400, 421}},
    {"HostWithLettersInThePortIs400", "RFC 3986 3.2.3", host("localhost:80x")},
    {"HostWithASignInThePortIs400", "RFC 3986 3.2.3", host("localhost:+80")},
    {"HostWithANegativePortIs400", "RFC 3986 3.2.3", host("localhost:-1")},
    {"HostWithTwoPortsIs400", "RFC 3986 3.2.3", host("localhost:80:80")},
    {"HostWithASpaceBeforeThePortIs400", "RFC 3986 3.2.3", host("localhost :80")},
    {"HostOfOnlyAPortIsRefused", "RFC 9110 4.2.1", host(":80"), {400, 421}},
    {"HostWithAQuoteIs400", "RFC 9112 3.2", host("\"localhost\"")},
    {"HostWithAngleBracketsIs400", "RFC 9112 3.2", host("<localhost>")},
    {"HostWithNulIs400", "RFC 9110 5.5", host("localhost\0.evil"s)},
    {"HostWithAControlByteIs400", "RFC 9110 5.5", host("localhost\x01")},
    {"HostWithBareCarriageReturnIs400", "RFC 9112 2.2", host("localhost\rX: y")},
    {"SpaceBeforeTheColonOfHostIs400", "RFC 9112 5.1", hosted("Host : localhost\r\n")},
    {"HostWithABadPercentEscapeIsRefused", "RFC 3986 2.1", host("local%host"), {400, 421}},
};

// Hosts that name somebody else: on a loopback bind each gets 421.
struct HostRow {
  std::string name;
  std::string source;
  std::string value;
};

const std::string kPolicy = "contract: who may come in";

const std::vector<HostRow> kForeign = {
    {"NameOfAnotherHostIs421", kPolicy, "evil.example"},
    {"NameOfAnotherHostWithThePortIs421", kPolicy, "evil.example:8080"},
    {"NameThatStartsWithLocalhostIs421", kPolicy, "localhost.evil.example"},
    {"NameThatEndsWithLocalhostWithoutADotIs421", kPolicy, "evillocalhost"},
    {"NameThatStartsWithALoopbackAddressIs421", kPolicy, "127.0.0.1.evil.example"},
    {"PublicAddressIs421", kPolicy, "93.184.215.14"},
    {"PrivateAddressIs421", kPolicy, "192.168.1.1"},
    {"AddressBelowTheLoopbackNetIs421", kPolicy, "126.255.255.255"},
    {"AddressAboveTheLoopbackNetIs421", kPolicy, "128.0.0.1"},
    {"UnspecifiedAddressIs421", kPolicy, "0.0.0.0"},
    {"UnspecifiedIpv6AddressIs421", kPolicy, "[::]"},
    {"OtherIpv6AddressIs421", kPolicy, "[2001:db8::1]"},
    {"LinkLocalIpv6AddressIs421", kPolicy, "[fe80::1]"},
    {"DecimalLoopbackAddressIs421", kPolicy, "2130706433"},
    {"OctalLoopbackAddressIs421", kPolicy, "0177.0.0.1"},
    {"HexLoopbackAddressIs421", kPolicy, "0x7f000001"},
    {"ShortLoopbackAddressIs421", kPolicy, "127.1"},
    {"LoopbackAddressOfFivePartsIs421", kPolicy, "127.0.0.1.1"},
    {"LoopbackAddressBeyond255Is421", kPolicy, "127.0.0.256"},
    {"LocaldomainIs421", kPolicy, "localhost.localdomain"},
};

void expect_misdirected(const HostRow& row) {
  Connection client = site().connect();
  client.send(host(row.value));
  const Response response = receive_response(client);
  EXPECT_EQ(response.status, 421);
  EXPECT_TRUE(response.body.starts_with("host not allowed: ")) << response.body;
  EXPECT_NE(response.body.find("--ingress-host"), std::string::npos) << response.body;
  EXPECT_TRUE(response.body.ends_with("\n"));
  EXPECT_EQ(std::count(response.body.begin(), response.body.end(), '\n'), 1);
  client.close();
  expect_only_marker_reaches_backends(site());
}

const std::vector<HostRow> kOurs = {
    {"LocalhostIsServed", kPolicy, "localhost"},
    {"LocalhostWithAPortIsServed", kPolicy, "localhost:5173"},
    {"LocalhostInCapitalsIsServed", kPolicy, "LOCALHOST"},
    {"SubdomainOfLocalhostIsServed", kPolicy, "app.localhost"},
    {"DeepSubdomainOfLocalhostIsServed", kPolicy, "a.b.app.localhost:80"},
    {"LoopbackAddressIsServed", kPolicy, "127.0.0.1"},
    {"LoopbackAddressWithAPortIsServed", kPolicy, "127.0.0.1:8080"},
    {"OtherLoopbackAddressIsServed", kPolicy, "127.1.2.3"},
    {"LastLoopbackAddressIsServed", kPolicy, "127.255.255.254:1"},
    {"Ipv6LoopbackIsServed", kPolicy, "[::1]"},
    {"Ipv6LoopbackWithAPortIsServed", kPolicy, "[::1]:8080"},
    {"EmptyPortIsServed", "RFC 3986 3.2.3", "localhost:"},
};

void expect_hosted(const HostRow& row) {
  Exchange x = exchange(host(row.value));
  EXPECT_EQ(x.request.one("host"), row.value);
  EXPECT_EQ(x.request.one("x-forwarded-host"), row.value);
  x.backend.send(ok("x"));
  EXPECT_EQ(receive_response(x.client).body, "x");
}

WIRE_ROWS(HostField, kBadHosts, expect_rejected);
WIRE_ROWS(HostPolicy, kForeign, expect_misdirected);
WIRE_ROWS(HostPolicy, kOurs, expect_hosted);

// Sends GET with `value` as Host to a gateway without routes: 404 shows that the
// Host was let in, 421 that it was not.
int status_for_host(const GatewayProcess& gateway, std::string_view value,
                    std::string_view more = "") {
  Connection client = gateway.connect();
  client.send(hosted("Host: " + std::string(value) + "\r\n" + std::string(more)));
  return receive_response(client).status;
}

GatewayOptions with_arguments(std::vector<std::string> arguments) {
  GatewayOptions options;
  options.arguments = std::move(arguments);
  return options;
}

WIRE_TEST(HostPolicy, EmptyHostIsRefused, "contract: who may come in") {
  Connection client = site().connect();
  client.send(host(""));
  const int status = receive_response(client).status;
  EXPECT_TRUE(status == 400 || status == 421) << status;
}

WIRE_TEST(HostPolicy, NamedHostIsServed, "contract: --ingress-host NAME") {
  OwnGateway own("", with_arguments({"--ingress-host", "dev.example"}));
  EXPECT_EQ(status_for_host(own.gateway, "dev.example"), 404);
  EXPECT_EQ(status_for_host(own.gateway, "dev.example:8080"), 404);
  EXPECT_EQ(status_for_host(own.gateway, "DEV.EXAMPLE"), 404);
  EXPECT_EQ(status_for_host(own.gateway, "localhost"), 404);
  EXPECT_EQ(status_for_host(own.gateway, "sub.dev.example"), 421);
  EXPECT_EQ(status_for_host(own.gateway, "dev.example.evil"), 421);
  EXPECT_EQ(status_for_host(own.gateway, "evil.example"), 421);
}

WIRE_TEST(HostPolicy, SeveralHostsCanBeNamed, "contract: --ingress-host NAME (repeatable)") {
  OwnGateway own("",
                 with_arguments({"--ingress-host", "a.example", "--ingress-host", "b.example"}));
  EXPECT_EQ(status_for_host(own.gateway, "a.example"), 404);
  EXPECT_EQ(status_for_host(own.gateway, "b.example"), 404);
  EXPECT_EQ(status_for_host(own.gateway, "c.example"), 421);
}

WIRE_TEST(HostPolicy, StarTurnsTheCheckOff, "contract: * turns the check off") {
  OwnGateway own("", with_arguments({"--ingress-host", "*"}));
  EXPECT_EQ(status_for_host(own.gateway, "evil.example"), 404);
  EXPECT_EQ(status_for_host(own.gateway, "93.184.215.14:80"), 404);
}

WIRE_TEST(HostPolicy, BindAddressIsServed, "contract: nor the bind address") {
  GatewayOptions options;
  options.listen = "127.0.0.2:0";
  OwnGateway own("", options);
  EXPECT_EQ(status_for_host(own.gateway, own.gateway.authority()), 404);
}

WIRE_TEST(HostPolicy, BindOnAllAddressesChecksNoHost, "contract: on a loopback bind") {
  GatewayOptions options;
  options.listen = "0.0.0.0:0";
  OwnGateway own("", options);
  EXPECT_EQ(status_for_host(own.gateway, "my-machine.lan"), 404);
}

WIRE_TEST(HostPolicy, AbsoluteTargetIsCheckedInsteadOfHost, "RFC 9112 3.2.2") {
  Connection client = site().connect();
  client.send("GET http://evil.example/ HTTP/1.1\r\nHost: localhost\r\n\r\n");
  EXPECT_EQ(receive_response(client).status, 421);
  client.close();
  expect_only_marker_reaches_backends(site());
}

WIRE_TEST(HostPolicy, ForeignHostInAnHttp10RequestIs421, "contract: who may come in") {
  Connection client = site().connect();
  client.send("GET / HTTP/1.0\r\nHost: evil.example\r\n\r\n");
  EXPECT_EQ(receive_response(client).status, 421);
}

WIRE_TEST(HostPolicy, ForwardedHostDoesNotOpenTheDoor, "contract: who may come in") {
  Connection client = site().connect();
  client.send(hosted("Host: evil.example\r\nX-Forwarded-Host: localhost\r\n"));
  EXPECT_EQ(receive_response(client).status, 421);
}

WIRE_TEST(HostPolicy, RefusedPostDoesNotLeakItsBodyIntoTheNextRequest, "RFC 9112 9.3") {
  Connection client = site().connect();
  const std::string inside = get("/smuggled");
  client.send("POST / HTTP/1.1\r\nHost: evil.example\r\nContent-Length: " +
              std::to_string(inside.size()) + "\r\n\r\n" + inside);
  EXPECT_EQ(receive_response(client).status, 421);
  client.close();
  expect_only_marker_reaches_backends(site());
}

// A WebSocket handshake with `host` and `origin` at a gateway whose route leads
// nowhere: 403 is the policy's refusal, 502 means it was let through.
int status_for_origin(std::string_view host_value, std::string_view origin) {
  Connection client = site().connect();
  client.send("GET /closed HTTP/1.1\r\nHost: " + std::string(host_value) +
              "\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
              "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n" +
              (origin.empty() ? "" : "Origin: " + std::string(origin) + "\r\n") + "\r\n");
  return receive_response(client).status;
}

WIRE_TEST(HostPolicy, WebSocketFromAnotherOriginIs403, "contract: Origin names another host") {
  EXPECT_EQ(status_for_origin("localhost:5173", "http://evil.example"), 403);
  EXPECT_EQ(status_for_origin("localhost:5173", "https://localhost.evil.example"), 403);
  EXPECT_EQ(status_for_origin("app.localhost", "http://other.localhost"), 403);
}

WIRE_TEST(HostPolicy, WebSocketFromAnOpaqueOriginIs403, "contract: Origin names another host") {
  EXPECT_EQ(status_for_origin("localhost:5173", "null"), 403);
}

WIRE_TEST(HostPolicy, WebSocketFromItsOwnOriginPasses, "contract: Origin names another host") {
  EXPECT_EQ(status_for_origin("localhost:5173", "http://localhost:5173"), 502);
  EXPECT_EQ(status_for_origin("LOCALHOST:5173", "http://localhost:5173"), 502);
  EXPECT_EQ(status_for_origin("127.0.0.1:80", "http://127.0.0.1"), 502);
  EXPECT_EQ(status_for_origin("[::1]:80", "http://[::1]:80"), 502);
}

WIRE_TEST(HostPolicy, WebSocketWithoutOriginPasses, "contract: Origin names another host") {
  EXPECT_EQ(status_for_origin("localhost:5173", ""), 502);
}

WIRE_TEST(HostPolicy, OriginOfAPlainRequestIsLeftToTheBackend, "contract: a WebSocket upgrade") {
  Exchange x = exchange(get("/", "Origin: http://evil.example\r\n"));
  EXPECT_EQ(x.request.one("origin"), "http://evil.example");
  x.backend.send(ok("x"));
  EXPECT_EQ(receive_response(x.client).body, "x");
}

}  // namespace
}  // namespace gondolin::wiretest
