// The command line of `gondolin gateway`: where it listens, what it prints, how it
// refuses, and how it ends.
#include <signal.h>

#include <filesystem>
#include <fstream>

#include "harness/wire_test.hpp"

namespace gondolin::wiretest {
namespace {

const std::string kListen = "contract: --listen";

struct BadListenRow {
  std::string name;
  std::string source;
  std::string value;
  std::string hint;  // what the reason must mention, if the contract says so
};

const std::vector<BadListenRow> kBadListens = {
    {"WordIsRefused", kListen, "nonsense", ""},
    {"PortZeroXIsRefused", kListen, "127.0.0.1:0x50", ""},
    {"PortWithATailIsRefused", kListen, "127.0.0.1:80x", ""},
    {"PortWithASignIsRefused", kListen, "127.0.0.1:+80", ""},
    {"NegativePortIsRefused", kListen, "127.0.0.1:-1", ""},
    {"Port65536IsRefused", kListen, "127.0.0.1:65536", ""},
    {"BarePort70000IsRefused", kListen, "70000", ""},
    {"PortOfManyDigitsIsRefused", kListen, ":99999999999999999999", ""},
    {"PortWithASpaceIsRefused", kListen, "127.0.0.1: 80", ""},
    {"PortWithAPointIsRefused", kListen, ":80.0", ""},
    {"HostWithoutPortIsRefused", kListen, "127.0.0.1", ""},
    {"HostWithEmptyPortIsRefused", kListen, "127.0.0.1:", ""},
    {"ColonAloneIsRefused", kListen, ":", ""},
    {"Ipv6WithoutBracketsIsRefused", "contract: tells to write [::1]:80", "::1:80", "[::1]:80"},
    {"OpenBracketIsRefused", kListen, "[::1:80", ""},
    {"BracketsWithoutPortAreRefused", kListen, "[::1]", ""},
    {"TextBehindTheBracketIsRefused", kListen, "[::1]x:80", ""},
    {"EmptyBracketsAreRefused", kListen, "[]:80", ""},
    {"UrlIsRefused", kListen, "http://127.0.0.1:80", "no URL"},
};

void expect_bad_listen(const BadListenRow& row) {
  ListenersFile listeners("");
  const Finished finished = GatewayProcess::run(
      {"gateway", "--listeners", listeners.path().string(), "--listen", row.value});
  EXPECT_EQ(finished.exit_code, 1);
  EXPECT_EQ(finished.out, "");
  EXPECT_TRUE(finished.err.starts_with("Invalid --listen value: " + row.value + " ("))
      << finished.err;
  EXPECT_TRUE(finished.err.ends_with(")\n")) << finished.err;
  EXPECT_EQ(std::count(finished.err.begin(), finished.err.end(), '\n'), 1) << finished.err;
  EXPECT_NE(finished.err.find(row.hint), std::string::npos) << finished.err;
}

WIRE_ROWS(CommandLine, kBadListens, expect_bad_listen);

// The URL of a gateway started with `listen`, and that it answers.
std::string url_of(const std::string& listen) {
  ListenersFile listeners("");
  GatewayOptions options;
  options.listen = listen;
  GatewayProcess gateway(listeners.path(), options);
  Connection client = gateway.connect();
  client.send(get("/"));
  EXPECT_EQ(receive_response(client).status, 404);
  EXPECT_NE(gateway.address().port, 0);
  return gateway.first_line();
}

// A port that was free a moment ago.
std::string free_port() {
  return std::to_string(FakeBackend().port());
}

WIRE_TEST(CommandLine, PortZeroIsAnEphemeralPort, "contract: port 0 is ephemeral") {
  for (const std::string listen : {"127.0.0.1:0", ":0", "0"}) {
    EXPECT_TRUE(url_of(listen).starts_with("Ingress enabled: http://127.0.0.1:")) << listen;
  }
}

WIRE_TEST(CommandLine, HostAndPortAreBound, "contract: HOST:PORT") {
  const std::string port = free_port();
  EXPECT_EQ(url_of("127.0.0.1:" + port), "Ingress enabled: http://127.0.0.1:" + port);
}

WIRE_TEST(CommandLine, PortAloneIsBoundOnLoopback, "contract: :PORT and PORT mean 127.0.0.1") {
  const std::string first = free_port();
  EXPECT_EQ(url_of(":" + first), "Ingress enabled: http://127.0.0.1:" + first);
  const std::string second = free_port();
  EXPECT_EQ(url_of(second), "Ingress enabled: http://127.0.0.1:" + second);
}

WIRE_TEST(CommandLine, Ipv6IsBracketedInTheUrl, "contract: IPv6 hosts are bracketed in the URL") {
  EXPECT_TRUE(url_of("[::1]:0").starts_with("Ingress enabled: http://[::1]:"));
}

WIRE_TEST(CommandLine, OtherLoopbackAddressIsBound, "contract: HOST:PORT") {
  EXPECT_TRUE(url_of("127.0.0.3:0").starts_with("Ingress enabled: http://127.0.0.3:"));
}

WIRE_TEST(CommandLine, HelpNamesEveryOption, "contract: command line") {
  const Finished finished = GatewayProcess::run({"gateway", "--help"});
  EXPECT_EQ(finished.exit_code, 0);
  for (const std::string_view option :
       {"--listeners", "--listen", "--disable-websockets", "--header-timeout-ms",
        "--response-timeout-ms", "--ingress-host"}) {
    EXPECT_NE(finished.out.find(option), std::string::npos) << option;
  }
}

WIRE_TEST(CommandLine, SecondLineNamesTheFile, "contract: the second line names FILE") {
  OwnGateway own("");
  EXPECT_TRUE(own.gateway.second_line().starts_with("Configure routes by editing "));
  EXPECT_NE(own.gateway.second_line().find(own.listeners.path().string()), std::string::npos)
      << own.gateway.second_line();
}

WIRE_TEST(CommandLine, NothingElseIsPrinted, "contract: prints exactly") {
  OwnGateway own("");
  EXPECT_EQ(own.gateway.stderr_text(), "");
}

WIRE_TEST(CommandLine, WiderBindPrintsAWarning, "contract: any other address prints a warning") {
  GatewayOptions options;
  options.listen = "0.0.0.0:0";
  OwnGateway own("", options);
  EXPECT_TRUE(eventually([&] { return !own.gateway.stderr_text().empty(); }));
  EXPECT_EQ(own.gateway.address().host, "0.0.0.0");
}

WIRE_TEST(CommandLine, PortInUseIsAnErrorThatNamesIt, "contract: --listen") {
  FakeBackend taken;
  ListenersFile listeners("");
  const Finished finished =
      GatewayProcess::run({"gateway", "--listeners", listeners.path().string(), "--listen",
                           ":" + std::to_string(taken.port())});
  EXPECT_EQ(finished.exit_code, 1);
  EXPECT_NE(finished.err.find(std::to_string(taken.port())), std::string::npos) << finished.err;
  EXPECT_EQ(finished.out, "");
}

WIRE_TEST(CommandLine, AddressOfAnotherMachineIsAnErrorThatNamesIt, "contract: --listen") {
  ListenersFile listeners("");
  const Finished finished = GatewayProcess::run(
      {"gateway", "--listeners", listeners.path().string(), "--listen", "192.0.2.1:0"});
  EXPECT_EQ(finished.exit_code, 1);
  EXPECT_NE(finished.err.find("192.0.2.1"), std::string::npos) << finished.err;
  EXPECT_EQ(finished.out, "");
}

WIRE_TEST(CommandLine, ListenWithoutAValueIsAnEphemeralPort, "contract: --listen") {
  ListenersFile listeners("");
  GatewayOptions options;
  options.listen.reset();
  EXPECT_TRUE(GatewayProcess(listeners.path(), options)
                  .first_line()
                  .starts_with("Ingress enabled: http://127.0.0.1:"));
}

WIRE_TEST(CommandLine, MissingDirectoryIsAnErrorThatNamesIt, "contract: watches FILE") {
  ListenersFile listeners("");
  const std::string missing = listeners.beside("missing").string();
  const Finished finished = GatewayProcess::run(
      {"gateway", "--listeners", missing + "/listeners", "--listen", "127.0.0.1:0"});
  EXPECT_EQ(finished.exit_code, 1);
  EXPECT_NE(finished.err.find(missing), std::string::npos) << finished.err;
  EXPECT_EQ(std::ranges::count(finished.err, '\n'), 1) << finished.err;
  EXPECT_EQ(finished.out, "");
}

WIRE_TEST(CommandLine, EveryDebugTopicIsKnown, "contract: GONDOLIN_DEBUG, comma list") {
  for (const std::string topics : {"protocol", "ingress", "all", "vfs,ingress", "exec, protocol"}) {
    GatewayOptions options;
    options.environment["GONDOLIN_DEBUG"] = topics;
    OwnGateway own("", options);
    Connection client = own.gateway.connect();
    client.send(get("/nowhere"));
    EXPECT_EQ(receive_response(client).status, 404);
    EXPECT_NE(own.gateway.stderr_text().find("404 no route"), std::string::npos) << topics;
  }
}

WIRE_TEST(CommandLine, ListenersAreRequired, "contract: gondolin gateway --listeners FILE") {
  const Finished finished = GatewayProcess::run({"gateway", "--listen", ":0"});
  EXPECT_NE(finished.exit_code, 0);
  EXPECT_NE(finished.err.find("--listeners"), std::string::npos) << finished.err;
}

WIRE_TEST(CommandLine, NameOfThisMachineHasNoCase, "contract: HOST:PORT") {
  EXPECT_TRUE(url_of("LocalHost:0").starts_with("Ingress enabled: http://"));
}

WIRE_TEST(CommandLine, IngressHostsThatNoRequestCanMatchAreRefused,
          "contract: --ingress-host NAME") {
  ListenersFile listeners("");
  for (const std::string name : {"foo:80", "*.example.com", "", "a b", "foo:"}) {
    const Finished finished =
        GatewayProcess::run({"gateway", "--listeners", listeners.path().string(), "--listen", "0",
                             "--ingress-host", name});
    EXPECT_EQ(finished.exit_code, 1) << name;
    EXPECT_NE(finished.err.find("'" + name + "' is not a host name"), std::string::npos)
        << finished.err;
  }
}

// Where the gateway is confined, as it is without sanitizers, it cannot read the new one.
WIRE_TEST(CommandLine, DirectoryThatWasReplacedIsFollowedOrWarnedOf, "contract: watches FILE") {
  const ListenersFile around("");
  const auto directory = around.beside("routes");
  std::filesystem::create_directory(directory);
  std::ofstream(directory / "listeners") << "/ :1\n";
  GatewayProcess gateway(directory / "listeners");
  std::filesystem::rename(directory, around.beside("old"));
  std::filesystem::create_directory(directory);
  std::ofstream(directory / "listeners") << "/api :1\n";
  EXPECT_TRUE(eventually([&] {
    Connection client = gateway.connect();
    client.send(get("/elsewhere"));
    return receive_response(client).status == 404 ||
           gateway.stderr_text().find("start the gateway again") != std::string::npos;
  }));
}

WIRE_TEST(CommandLine, UnknownOptionIsRefused, "contract: command line") {
  ListenersFile listeners("");
  const Finished finished = GatewayProcess::run(
      {"gateway", "--listeners", listeners.path().string(), "--listen", ":0", "--nonsense"});
  EXPECT_NE(finished.exit_code, 0);
  EXPECT_NE(finished.err.find("--nonsense"), std::string::npos) << finished.err;
}

WIRE_TEST(CommandLine, ArgumentsBehindDashesAreRefused, "contract: command line") {
  ListenersFile listeners("");
  const Finished finished = GatewayProcess::run(
      {"gateway", "--listeners", listeners.path().string(), "--listen", "0", "--", "surplus"});
  EXPECT_EQ(finished.exit_code, 2);
  EXPECT_NE(finished.err.find("surplus"), std::string::npos) << finished.err;
}

WIRE_TEST(CommandLine, MalformedTimeoutsAreRefused, "contract: --header-timeout-ms N") {
  ListenersFile listeners("");
  for (const std::string option : {"--header-timeout-ms", "--response-timeout-ms"}) {
    for (const std::string value : {"x", "-1", "1.5", "99999999999999999999", ""}) {
      const Finished finished = GatewayProcess::run(
          {"gateway", "--listeners", listeners.path().string(), "--listen", ":0", option, value});
      EXPECT_NE(finished.exit_code, 0) << option << " " << value;
      EXPECT_EQ(finished.out, "") << option << " " << value;
    }
  }
}

WIRE_TEST(Shutdown, SigtermExitsWithZero, "contract: close() always ends within 1 s") {
  OwnGateway own("");
  EXPECT_EQ(own.gateway.terminate(SIGTERM), 0);
}

WIRE_TEST(Shutdown, SigintExitsWithZero, "contract: close() always ends within 1 s") {
  OwnGateway own("");
  EXPECT_EQ(own.gateway.terminate(SIGINT), 0);
}

WIRE_TEST(
    Shutdown, EndsWithinASecondWhateverIsOpen,
    "peers: close() hangs while a WebSocket, an idle preconnect or a half-sent request is open") {
  FakeBackend backend;
  OwnGateway own("/ :" + std::to_string(backend.port()) + "\n");
  Connection idle = own.gateway.connect();
  Connection half = own.gateway.connect();
  half.send("GET / HTTP/1.1\r\nHos");
  Connection waiting = own.gateway.connect();
  waiting.send(get("/waiting"));
  Connection waiting_peer = backend.accept();
  static_cast<void>(receive_head(waiting_peer));
  Connection upload = own.gateway.connect();
  upload.send("PUT / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99\r\n\r\nx");
  Connection upload_peer = backend.accept();
  static_cast<void>(receive_head(upload_peer));
  Connection socket = own.gateway.connect();
  socket.send(get("/ws",
                  "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
                  "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"));
  Connection socket_peer = backend.accept();
  static_cast<void>(receive_head(socket_peer));
  socket_peer.send(
      "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
      "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n");
  EXPECT_EQ(receive_response(socket).status, 101);
  const auto start = std::chrono::steady_clock::now();
  EXPECT_EQ(own.gateway.terminate(SIGTERM), 0);
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::milliseconds(1500));
  for (Connection* open : {&idle, &half, &waiting, &upload, &socket}) {
    static_cast<void>(open->receive_rest());
  }
  for (Connection* peer : {&waiting_peer, &upload_peer, &socket_peer}) {
    static_cast<void>(peer->receive_rest());
  }
}

WIRE_TEST(Shutdown, PortIsFreeAtOnce, "contract: close()") {
  std::string port;
  {
    OwnGateway own("");
    port = std::to_string(own.gateway.address().port);
    Connection client = own.gateway.connect();
    client.send(get("/"));
    EXPECT_EQ(receive_response(client).status, 404);
    EXPECT_EQ(own.gateway.terminate(SIGTERM), 0);
  }
  EXPECT_EQ(url_of(":" + port), "Ingress enabled: http://127.0.0.1:" + port);
}

}  // namespace
}  // namespace gondolin::wiretest
