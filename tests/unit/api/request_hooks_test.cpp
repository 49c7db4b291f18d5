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

TEST_F(RequestHooks, WhatCannotBeSentIsAnswered502AndNeverReachesTheBackend) {
  IngressRequestPatch patch;
  hooks().on_request = [&](const IngressRequest&) { return patch; };
  open();
  const std::string nul("a\0b", 3);
  auto field = [](std::string name, std::string value) {
    IngressRequestPatch bad;
    bad.set_header(std::move(name), std::move(value));
    return bad;
  };
  auto with = [](auto set) {
    IngressRequestPatch bad;
    set(bad);
    return bad;
  };
  for (const IngressRequestPatch& bad : {
           field("X-A", "1\r\nX-Evil: 1"),
           field("X-A", "1\nX-Evil: 1"),
           field("X-A", nul),
           field("X-A: 1\r\nX-Evil", "1"),
           field("", "1"),
           field("Host", "a b"),
           with([](auto& p) { p.method = "GET / HTTP/1.1\r\n"; }),
           with([](auto& p) { p.method = "CONNECT"; }),
           with([](auto& p) { p.backend_target = "/ HTTP/1.1\r\nX-Evil: 1"; }),
           with([](auto& p) { p.backend_target = "http://elsewhere/"; }),
           with([](auto& p) { p.backend_host = "10.0.0.1"; }),
           with([](auto& p) { p.backend_port = 0; }),
       }) {
    patch = bad;
    std::string refused = answer();
    EXPECT_THAT(refused, StartsWith("HTTP/1.1 502 Bad Gateway\r\n"));
    EXPECT_THAT(refused, Not(HasSubstr("Evil")));
  }
  EXPECT_FALSE(backend_.called(0));
}

TEST_F(RequestHooks, FieldsOfFramingAndConnectionStayTheGateways) {
  hooks().on_request = [](const IngressRequest&) {
    IngressRequestPatch patch;
    patch.set_header("Content-Length", "99");
    patch.set_header("Transfer-Encoding", "chunked");
    patch.set_header("Connection", "keep-alive");
    patch.set_header("Upgrade", "h2c");
    patch.set_header("Expect", "100-continue");
    return patch;
  };
  open();
  Peer client = ask("POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3\r\n\r\nabc");
  auto [backend, head] = receive();
  EXPECT_EQ(head, "POST / HTTP/1.1\r\nHost: localhost\r\n" + std::string(kAdded) +
                      "Content-Length: 3\r\nConnection: close\r\n\r\n");
  backend.expect("abc");
}

TEST_F(RequestHooks, AHookThatThrowsIsA502WithItsReasonInTheLogOnly) {
  hooks().on_request = [](const IngressRequest&) -> IngressRequestPatch {
    throw std::runtime_error("the database is down");
  };
  open();
  std::string refused = answer();
  EXPECT_THAT(refused, StartsWith("HTTP/1.1 502 Bad Gateway\r\n"));
  EXPECT_THAT(refused, Not(HasSubstr("database")));
  EXPECT_THAT(log(), HasSubstr("the database is down"));
}

TEST_F(RequestHooks, AnAsynchronousHookMayThrowOrDropItsReply) {
  hooks().async_is_allowed = [](const IngressRequest& request, const HookReply<bool>&) {
    if (request.path == "/throw") throw 42;
  };
  open();
  EXPECT_THAT(answer("GET /throw HTTP/1.0\r\nHost: localhost\r\n\r\n"), HasSubstr(" 502 "));
  EXPECT_THAT(answer("GET /drop HTTP/1.0\r\nHost: localhost\r\n\r\n"), HasSubstr(" 502 "));
  EXPECT_THAT(log(), HasSubstr("dropped without an answer"));
}

TEST_F(RequestHooks, OnlyTheFirstAnswerCounts) {
  hooks().async_is_allowed = [](const IngressRequest&, const HookReply<bool>& reply) {
    reply.answer(false);
    reply.answer(true);
    reply.fail(std::make_exception_ptr(std::runtime_error("late")));
  };
  open();
  EXPECT_THAT(answer(), StartsWith("HTTP/1.1 403 "));
  EXPECT_FALSE(backend_.called(0));
}

TEST_F(RequestHooks, AConnectionStaysAfterADenialWhoseBodyIsHere) {
  hooks().is_allowed = [](const IngressRequest& request) { return request.method != "POST"; };
  open();
  Peer client = ask("POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3\r\n\r\nabc" +
                    std::string(testing::kGet));
  EXPECT_EQ(status_of(client.read_head()), "403");
  client.expect("forbidden\n");
  auto [backend, head] = receive();
  backend.send(testing::kOk);
  EXPECT_EQ(status_of(client.read_head()), "200");
}

TEST_F(RequestHooks, AConnectionClosesAfterADenialWhoseBodyIsStillToCome) {
  hooks().is_allowed = [](const IngressRequest&) { return false; };
  open();
  Peer client = ask("POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 300000\r\n\r\nabc");
  std::string head = client.read_head();
  EXPECT_EQ(status_of(head), "403");
  EXPECT_THAT(head, HasSubstr("\r\nConnection: close\r\n"));
  client.send(std::string(300'000 - 3, 'x'));
  EXPECT_EQ(client.read_to_end(), "forbidden\n");
}

TEST_F(RequestHooks, AWebSocketPassesTheHooksAndThenCarriesBytes) {
  hooks().on_request = [](const IngressRequest&) {
    IngressRequestPatch patch;
    patch.set_header("X-User", "ada");
    return patch;
  };
  hooks().on_response = [](const IngressResponse& response, const IngressRequest&) {
    EXPECT_EQ(response.status, 101U);
    IngressResponsePatch patch;
    patch.set_header("X-Seen", "1");
    return patch;
  };
  open();
  Peer client =
      ask("GET /ws HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: "
          "websocket\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: "
          "13\r\n\r\n");
  auto [backend, head] = receive();
  EXPECT_THAT(head, HasSubstr("\r\nX-User: ada\r\n"));
  EXPECT_THAT(head, HasSubstr("\r\nUpgrade: websocket\r\n"));
  backend.send(
      "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\nearly");
  client.expect(
      "HTTP/1.1 101 Switching Protocols\r\nX-Seen: 1\r\nConnection: Upgrade\r\nUpgrade: "
      "websocket\r\n\r\nearly");
  client.send("up");
  backend.expect("up");
}

}  // namespace
}  // namespace gondolin
