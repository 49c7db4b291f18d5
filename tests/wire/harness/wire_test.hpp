// What every wire test is made of: a shared gateway with its backends, a short
// way to write messages, and tests that carry their source.
//
// A Site is one gateway process and the backends its table names; the sites below
// are started at first use and ended (SIGTERM, exit 0, no descriptor left) when
// the program ends. A test leaves its site as it found it: every connection that
// reached a backend was accepted by the test, and the gateway lives.
//
// WIRE_TEST(Suite, Name, "source") { … } defines a test whose name is a sentence
// and whose source (an RFC section or a line of the contract) goes to
// docs/http-conformance.md. WIRE_ROWS(Suite, rows, body) makes one such test of
// every row of a table: body(row) runs it, row.name and row.source describe it.
#pragma once

#include <algorithm>
#include <functional>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>

#include "harness/connection.hpp"
#include "harness/fake_backend.hpp"
#include "harness/gateway_process.hpp"
#include "harness/message.hpp"

namespace gondolin::wiretest {

using namespace std::string_literals;

// One gateway and its table:
//   /            root
//   /api         api       (stripped)
//   /api/v2      v2        (stripped)
//   /kept        kept      strip_prefix=false
//   /a%2Fb       encoded   (stripped)
//   /closed      a port where nothing listens
//   /v6          ipv6      listens on [::1] only
struct Site {
  explicit Site(const GatewayOptions& options = {});

  FakeBackend root;
  FakeBackend api;
  FakeBackend v2;
  FakeBackend kept;
  FakeBackend encoded;
  FakeBackend ipv6{Loopback::kIpv6};
  ClosedPort closed;
  ListenersFile listeners;
  GatewayProcess gateway;

  [[nodiscard]] std::vector<FakeBackend*> backends();
  [[nodiscard]] Connection connect() const { return gateway.connect(); }
};

// The site most tests share: default options.
[[nodiscard]] Site& site();
// Its twin with --header-timeout-ms 300 --response-timeout-ms 300.
[[nodiscard]] Site& impatient_site();
// Its twin with --disable-websockets.
[[nodiscard]] Site& no_websocket_site();

// A gateway with a table of the test's own and no shared state.
class OwnGateway {
 public:
  explicit OwnGateway(const std::optional<std::string>& table, const GatewayOptions& options = {})
      : listeners(table), gateway(listeners.path(), options) {}
  ListenersFile listeners;
  GatewayProcess gateway;
};

// A request that reached a backend: both connections and the head the backend got.
struct Exchange {
  Connection client;
  Connection backend;
  Head request;
};

// Sends `request` on a new connection to `at` and accepts it at `backend`.
[[nodiscard]] Exchange exchange(Site& at, FakeBackend& backend, std::string_view request);
[[nodiscard]] Exchange exchange(std::string_view request);  // site(), root

// "GET <target> HTTP/1.1", Host: localhost, and `fields` ("Name: value\r\n"…).
[[nodiscard]] std::string get(std::string_view target, std::string_view fields = "");
[[nodiscard]] std::string head(std::string_view target, std::string_view fields = "");
// A POST with Content-Length, or with `body` as it stands behind chunked framing.
[[nodiscard]] std::string post(std::string_view target, std::string_view body,
                               std::string_view fields = "");
[[nodiscard]] std::string post_chunked(std::string_view target, std::string_view chunks);
// "HTTP/1.1 200 OK" with Content-Length.
[[nodiscard]] std::string ok(std::string_view body, std::string_view fields = "");

// Sends a fresh request through `at` and answers it at root, so that everything
// the gateway did before is known to be over; fails if any other connection
// reached a backend.
void expect_only_marker_reaches_backends(Site& at);

// Reads the gateway's own error answer: status, the plain one-line body (checked
// where the contract fixes it), text/plain.
Response expect_error(Connection& client, const std::set<int>& statuses);

class WireTest : public testing::Test {
 protected:
  void TearDown() override;
};

struct ConformanceEntry {
  std::string suite;
  std::string name;
  std::string source;
};

// Everything registered so far.
[[nodiscard]] const std::vector<ConformanceEntry>& conformance_entries();

// Adds the test `suite`.`name`; call it before RUN_ALL_TESTS. Returns true, so
// that a namespace-scope constant can do it.
bool register_case(const std::string& suite, const std::string& name, const std::string& source,
                   std::function<void()> body, const char* file, int line);

}  // namespace gondolin::wiretest

#define WIRE_TEST(suite, name, source)                                                 \
  static void suite##_##name##_body();                                                 \
  static const bool suite##_##name##_registered = ::gondolin::wiretest::register_case( \
      #suite, #name, source, suite##_##name##_body, __FILE__, __LINE__);               \
  static void suite##_##name##_body()

#define WIRE_ROWS(suite, rows, body)                                                \
  static const bool suite##_##rows##_registered = [] {                              \
    for (const auto& row : rows) {                                                  \
      ::gondolin::wiretest::register_case(                                          \
          #suite, row.name, row.source, [&row] { body(row); }, __FILE__, __LINE__); \
    }                                                                               \
    return true;                                                                    \
  }()
