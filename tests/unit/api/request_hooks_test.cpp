// Hooks of requests: who may come in, and what the backend gets, byte by byte.

#include <atomic>
#include <stdexcept>
#include <thread>

#include "hooks_fixture.hpp"

namespace gondolin {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

using RequestHooks = testing::HooksTest;
using testing::End;
using testing::Peer;
using testing::status_of;

constexpr std::string_view kAdded =
    "X-Forwarded-For: 127.0.0.1\r\n"
    "X-Forwarded-Host: localhost\r\n"
    "X-Forwarded-Proto: http\r\n"
    "Via: 1.1 gondolin\r\n";

TEST_F(RequestHooks, AHookSeesTheRequestAsItWasRouted) {
  write_routes("/api :" + std::to_string(backend_.port()));
  std::optional<IngressRequest> asked;
  std::optional<IngressRequest> sent;
  hooks().is_allowed = [&](const IngressRequest& request) {
    asked = request;
    return true;
  };
  hooks().on_request = [&](const IngressRequest& request) {
    sent = request;
    return IngressRequestPatch{};
  };
  open();
  Peer client = ask("GET /x/../api/u?q=1 HTTP/1.1\r\nHost: localhost\r\nX-A: 1\r\nx-a: 2\r\n\r\n");
  auto [backend, head] = receive();
  EXPECT_THAT(head, StartsWith("GET /u?q=1 HTTP/1.1\r\n"));
  backend.send(testing::kOk);
  EXPECT_EQ(status_of(client.read_head()), "200");

  EXPECT_EQ(asked->client_ip, "127.0.0.1");
  EXPECT_EQ(asked->method, "GET");
  EXPECT_EQ(asked->path, "/api/u?q=1");
  EXPECT_EQ(asked->route,
            (IngressRoute{.prefix = "/api", .port = backend_.port(), .strip_prefix = true}));
  EXPECT_THAT(asked->headers, ElementsAre(IngressHeader{"Host", "localhost"},
                                          IngressHeader{"X-A", "1"}, IngressHeader{"x-a", "2"}));
  EXPECT_EQ(asked->header("X-a"), "1");
  EXPECT_EQ(asked->header("X-B"), std::nullopt);
  EXPECT_EQ(sent->backend_host, "127.0.0.1");
  EXPECT_EQ(sent->backend_port, backend_.port());
  EXPECT_EQ(sent->backend_target, "/u?q=1");
  EXPECT_EQ(sent->header("X-Forwarded-Prefix"), "/api");
}

TEST_F(RequestHooks, ARequestThatIsNotAllowedIsAnswered403) {
  hooks().is_allowed = [](const IngressRequest& request) { return request.path != "/admin"; };
  open();
  std::string refused =
      answer("GET /admin HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
  EXPECT_THAT(refused, StartsWith("HTTP/1.1 403 Forbidden\r\n"));
  EXPECT_THAT(refused, ::testing::EndsWith("\r\n\r\nforbidden\n"));
  EXPECT_FALSE(backend_.called(0));
  Peer client = ask();
  auto [backend, head] = receive();
  backend.send(testing::kOk);
  EXPECT_EQ(status_of(client.read_head()), "200");
}

TEST_F(RequestHooks, ABlockedErrorAnswersWithItsOwnStatusAndBody) {
  hooks().is_allowed = [](const IngressRequest&) -> bool {
    throw IngressRequestBlockedError("no token", 401, "Who Are You", "say who you are\n");
  };
  open();
  std::string refused = answer();
  EXPECT_THAT(refused, StartsWith("HTTP/1.1 401 Who Are You\r\n"));
  EXPECT_THAT(refused, HasSubstr("\r\nContent-Type: text/plain; charset=utf-8\r\n"));
  EXPECT_THAT(refused, HasSubstr("\r\nContent-Length: 16\r\n"));
  EXPECT_THAT(refused, ::testing::EndsWith("\r\n\r\nsay who you are\n"));
  EXPECT_THAT(log(), HasSubstr("no token"));
}

TEST_F(RequestHooks, ARequestGoesToTheMethodTargetPortAndFieldsOfThePatch) {
  testing::Backend other;
  hooks().on_request = [&](const IngressRequest&) {
    IngressRequestPatch patch{.method = "PUT",
                              .backend_host = "localhost",
                              .backend_port = other.port(),
                              .backend_target = "/new?y",
                              .headers = {},
                              .buffer_response_body = {},
                              .max_buffered_response_body_bytes = {}};
    patch.headers.push_back({"x-b", {"1", "2"}});
    patch.set_header("X-New", "n");
    patch.remove_header("X-Gone");
    return patch;
  };
  open();
  Peer client =
      ask("POST /old HTTP/1.1\r\nHost: localhost\r\nX-B: 0\r\nX-Gone: 1\r\nX-A: "
          "a\r\nContent-Length: 3\r\n\r\nabc");
  Peer backend = other.accept();
  EXPECT_EQ(backend.read_head(),
            "PUT /new?y HTTP/1.1\r\nHost: localhost\r\nx-b: 1\r\nx-b: 2\r\nX-A: a\r\n" +
                std::string(kAdded) + "X-New: n\r\nContent-Length: 3\r\nConnection: close\r\n\r\n");
  backend.expect("abc");
  backend.send(testing::kOk);
  client.expect("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi");
}

}  // namespace
}  // namespace gondolin
