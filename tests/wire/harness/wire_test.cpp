#include "harness/wire_test.hpp"

#include <signal.h>
#include <sys/resource.h>

#include <map>

namespace gondolin::wiretest {
namespace {

std::string table_of(Site& site) {
  const auto line = [](std::string_view prefix, std::uint16_t port, std::string_view options = "") {
    return std::string(prefix) + " :" + std::to_string(port) + std::string(options) + "\n";
  };
  return "# The table of the wire tests\n" + line("/", site.root.port()) +
         line("/api", site.api.port()) + line("/api/v2", site.v2.port()) +
         line("/kept", site.kept.port(), " strip_prefix=false") +
         line("/a%2Fb", site.encoded.port()) + line("/closed", site.closed.port()) +
         line("/v6", site.ipv6.port());
}

// A site and the descriptors its gateway held when idle.
struct Shared {
  std::unique_ptr<Site> site;
  std::size_t idle_descriptors = 0;
};

std::map<std::string, Shared>& shared_sites() {
  static std::map<std::string, Shared> sites;
  return sites;
}

Site& shared_site(const std::string& name, const std::vector<std::string>& arguments) {
  Shared& shared = shared_sites()[name];
  if (!shared.site) {
    GatewayOptions options;
    options.arguments = arguments;
    shared.site = std::make_unique<Site>(options);
    expect_only_marker_reaches_backends(*shared.site);
    static_cast<void>(eventually(
        [&] {
          const std::size_t now = shared.site->gateway.descriptors();
          return std::exchange(shared.idle_descriptors, now) == now;
        },
        milliseconds(1000)));
  }
  return *shared.site;
}

// Ends the shared sites: no descriptor left over, and exit 0 on SIGTERM.
class SitesEnvironment : public testing::Environment {
 public:
  void TearDown() override {
    for (auto& [name, shared] : shared_sites()) {
      GatewayProcess& gateway = shared.site->gateway;
      if (!gateway.alive()) continue;  // the test that ended it has failed
      const std::size_t idle = shared.idle_descriptors;
      EXPECT_TRUE(eventually([&] { return gateway.descriptors() <= idle; }))
          << "the gateway keeps " << gateway.descriptors() << " descriptors, idle it had " << idle;
      EXPECT_EQ(gateway.terminate(SIGTERM), 0);
      if (testing::UnitTest::GetInstance()->Failed()) {
        std::fputs(gateway.stderr_text().c_str(), stderr);
      }
    }
    shared_sites().clear();
  }
};

// Tests hold more connections than a login shell's limit allows.
void raise_descriptor_limit() {
  rlimit limit{};
  ::getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = limit.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &limit);
}

std::vector<ConformanceEntry>& registry() {
  static std::vector<ConformanceEntry> entries;
  return entries;
}

class CaseTest : public WireTest {
 public:
  CaseTest(std::string source, std::function<void()> body)
      : source_(std::move(source)), body_(std::move(body)) {}

 private:
  void TestBody() override {
    RecordProperty("source", source_);
    body_();
  }

  std::string source_;
  std::function<void()> body_;
};

std::string fixed_error_body(int status) {
  static const std::map<int, std::string> kBodies = {
      {400, "bad request\n"},          {404, "no route\n"},
      {408, "request timeout\n"},      {502, "bad gateway\n"},
      {503, "too many connections\n"}, {504, "gateway timeout\n"}};
  const auto found = kBodies.find(status);
  return found == kBodies.end() ? "" : found->second;
}

}  // namespace

Site::Site(const GatewayOptions& options)
    : listeners(table_of(*this)), gateway(listeners.path(), options) {}

std::vector<FakeBackend*> Site::backends() {
  return {&root, &api, &v2, &kept, &encoded, &ipv6};
}

Site& site() {
  return shared_site("default", {});
}

Site& impatient_site() {
  return shared_site("impatient", {"--header-timeout-ms", "300", "--response-timeout-ms", "300"});
}

Site& no_websocket_site() {
  return shared_site("no websocket", {"--disable-websockets"});
}

Exchange exchange(Site& at, FakeBackend& backend, std::string_view request) {
  Connection client = at.connect();
  client.send(request);
  Connection peer = backend.accept();
  Head received = receive_head(peer);
  return {std::move(client), std::move(peer), std::move(received)};
}

Exchange exchange(std::string_view request) {
  return exchange(site(), site().root, request);
}

std::string get(std::string_view target, std::string_view fields) {
  return "GET " + std::string(target) + " HTTP/1.1\r\nHost: localhost\r\n" + std::string(fields) +
         "\r\n";
}

std::string head(std::string_view target, std::string_view fields) {
  return "HEAD " + std::string(target) + " HTTP/1.1\r\nHost: localhost\r\n" + std::string(fields) +
         "\r\n";
}

std::string post(std::string_view target, std::string_view body, std::string_view fields) {
  return "POST " + std::string(target) +
         " HTTP/1.1\r\nHost: localhost\r\nContent-Length: " + std::to_string(body.size()) + "\r\n" +
         std::string(fields) + "\r\n" + std::string(body);
}

std::string post_chunked(std::string_view target, std::string_view chunks) {
  return "POST " + std::string(target) +
         " HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n" + std::string(chunks);
}

std::string ok(std::string_view body, std::string_view fields) {
  return "HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(body.size()) + "\r\n" +
         std::string(fields) + "\r\n" + std::string(body);
}

void expect_only_marker_reaches_backends(Site& at) {
  Connection client = at.connect();
  client.send(get("/marker", "Connection: close\r\n"));
  Connection marker = at.root.accept();
  const Head arrived = receive_head(marker);
  ASSERT_EQ(arrived.start_line, "GET /marker HTTP/1.1") << "something else reached the backend";
  marker.send(ok("marked"));
  EXPECT_EQ(receive_response(client).body, "marked");
}

Response expect_error(Connection& client, const std::set<int>& statuses) {
  Response response = receive_response(client);
  EXPECT_TRUE(statuses.contains(response.status)) << "answered " << response.head.start_line;
  const std::string body = fixed_error_body(response.status);
  if (!body.empty()) EXPECT_EQ(response.body, body);
  EXPECT_EQ(std::count(response.body.begin(), response.body.end(), '\n'), 1) << response.body;
  EXPECT_TRUE(lower(response.head.one("content-type")).starts_with("text/plain"));
  return response;
}

void WireTest::TearDown() {
  for (auto& [name, shared] : shared_sites()) {
    EXPECT_TRUE(shared.site->gateway.alive())
        << "the gateway died: " << shared.site->gateway.stderr_text();
    for (FakeBackend* backend : shared.site->backends()) {
      while (auto stray = backend->accept_pending()) {
        ADD_FAILURE() << "a connection reached a backend that the test did not expect";
      }
    }
  }
}

const std::vector<ConformanceEntry>& conformance_entries() {
  return registry();
}

bool register_case(const std::string& suite, const std::string& name, const std::string& source,
                   std::function<void()> body, const char* file, int line) {
  static const bool prepared = [] {
    raise_descriptor_limit();
    testing::AddGlobalTestEnvironment(new SitesEnvironment);  // GoogleTest owns it
    return true;
  }();
  static_cast<void>(prepared);
  registry().push_back({suite, name, source});
  testing::RegisterTest(suite.c_str(), name.c_str(), nullptr, nullptr, file, line,
                        [=]() -> WireTest* { return new CaseTest(source, body); });
  return true;
}

}  // namespace gondolin::wiretest
