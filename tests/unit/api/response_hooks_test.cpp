// Hooks of responses: what the client gets, byte by byte.

#include <stdexcept>

#include "hooks_fixture.hpp"

namespace gondolin {
namespace {

using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

using testing::End;
using testing::Peer;
using testing::status_of;

class ResponseHooks : public testing::HooksTest {
 protected:
  void respond_with(IngressResponsePatch patch) {
    hooks().on_response = [patch](const IngressResponse&, const IngressRequest&) { return patch; };
  }

  // One request, answered by the backend with `response`; what the client gets of it.
  std::string exchange(std::string_view request, std::string_view response) {
    Peer client = ask(request);
    auto [backend, head] = receive();
    backend.send(response);
    backend.close();
    return client.read_to_end();
  }
  std::string exchange(std::string_view response) {
    return exchange("GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", response);
  }
};

TEST_F(ResponseHooks, StatusAndFieldsChangeWhileTheBodyStreams) {
  hooks().on_response = [](const IngressResponse& response, const IngressRequest& request) {
    EXPECT_EQ(response.status, 302U);
    EXPECT_EQ(response.body, std::nullopt);
    IngressResponsePatch patch{.status = 307, .status_message = {}, .headers = {}, .body = {}};
    patch.set_header("Location", request.route.prefix + std::string(*response.header("location")));
    patch.headers.push_back({"Set-Cookie", {"a=1; Path=/api", "b=2; Path=/api"}});
    patch.remove_header("Server");
    return patch;
  };
  write_routes("/api :" + std::to_string(backend_.port()));
  open();
  Peer client = ask("GET /api/x HTTP/1.1\r\nHost: localhost\r\n\r\n");
  auto [backend, head] = receive();
  backend.send(
      "HTTP/1.1 302 Found\r\nServer: s\r\nLocation: /login\r\nSet-Cookie: a=1\r\nX-Z: "
      "z\r\nSet-Cookie: b=2\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n");
  client.expect(
      "HTTP/1.1 307 Temporary Redirect\r\nLocation: /api/login\r\nSet-Cookie: a=1; "
      "Path=/api\r\nSet-Cookie: b=2; Path=/api\r\nX-Z: z\r\nTransfer-Encoding: "
      "chunked\r\n\r\n3\r\nabc\r\n");
  backend.send("0\r\n\r\n");
  client.expect("0\r\n\r\n");
}

TEST_F(ResponseHooks, CrossOriginFieldsAreAdded) {
  IngressResponsePatch patch;
  patch.set_header("Access-Control-Allow-Origin", "*");
  respond_with(patch);
  open();
  EXPECT_EQ(exchange(testing::kOk),
            "HTTP/1.1 200 OK\r\nAccess-Control-Allow-Origin: *\r\nContent-Length: 2\r\nConnection: "
            "close\r\n\r\nhi");
}

TEST_F(ResponseHooks, ABufferedPageIsRewrittenAndItsLengthIsNew) {
  hooks().on_request = [](const IngressRequest&) {
    IngressRequestPatch patch;
    patch.buffer_response_body = true;
    return patch;
  };
  hooks().on_response = [](const IngressResponse& response, const IngressRequest&) {
    IngressResponsePatch patch;
    patch.body = *response.body + "<script></script>";
    return patch;
  };
  open();
  EXPECT_EQ(exchange("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\n<p>\r\n4\r\n</p>"
                     "\r\n0\r\n\r\n"),
            "HTTP/1.1 200 OK\r\nContent-Length: 24\r\nConnection: "
            "close\r\n\r\n<p></p><script></script>");
}

TEST_F(ResponseHooks, ABufferedBodyThatIsNotReplacedArrivesWhole) {
  options_.buffer_response_body = true;
  open();
  const std::string body(300'000, 'b');
  EXPECT_EQ(exchange("HTTP/1.1 200 OK\r\n\r\n" + body),
            "HTTP/1.1 200 OK\r\nContent-Length: 300000\r\nConnection: close\r\n\r\n" + body);
}

TEST_F(ResponseHooks, ABodyTooLargeToBufferIsA502) {
  options_.buffer_response_body = true;
  options_.max_buffered_response_body_bytes = 4;
  open();
  EXPECT_THAT(exchange("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n12345"), HasSubstr(" 502 "));
  EXPECT_THAT(
      exchange("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n12345\r\n0\r\n\r\n"),
      HasSubstr(" 502 "));
  EXPECT_THAT(exchange("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n1234"),
              EndsWith("\r\n\r\n1234"));
  EXPECT_THAT(log(), HasSubstr("larger than 4 bytes"));
}

TEST_F(ResponseHooks, ABufferedBodyThatBreaksOffIsA502AndNotAShorterBody) {
  options_.buffer_response_body = true;
  open();
  EXPECT_THAT(exchange("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n123"), HasSubstr(" 502 "));
}

TEST_F(ResponseHooks, ABodyIsNeverSentWhereThereCanBeNone) {
  respond_with({.status = {}, .status_message = {}, .headers = {}, .body = "body"});
  open();
  EXPECT_EQ(exchange("HEAD / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
                     "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n"),
            "HTTP/1.1 200 OK\r\nContent-Length: 4\r\nConnection: close\r\n\r\n");
  EXPECT_EQ(exchange("HTTP/1.1 204 No Content\r\n\r\n"),
            "HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n");
  EXPECT_THAT(exchange("HTTP/1.1 304 Not Modified\r\n\r\n"), EndsWith("\r\n\r\n"));
}

TEST_F(ResponseHooks, AStatusWithoutABodyDropsTheBackends) {
  respond_with({.status = 204, .status_message = {}, .headers = {}, .body = {}});
  open();
  EXPECT_EQ(exchange(testing::kOk), "HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n");
}

TEST_F(ResponseHooks, AStatusWithABodyGetsAnEmptyOneWhereTheBackendHadNone) {
  respond_with({.status = 200, .status_message = "Fine", .headers = {}, .body = {}});
  open();
  EXPECT_EQ(exchange("HTTP/1.1 204 No Content\r\n\r\n"),
            "HTTP/1.1 200 Fine\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
}

TEST_F(ResponseHooks, WhatCannotBeSentIsA502) {
  IngressResponsePatch patch;
  hooks().on_response = [&](const IngressResponse&, const IngressRequest&) { return patch; };
  open();
  auto with = [](auto set) {
    IngressResponsePatch bad;
    set(bad);
    return bad;
  };
  for (const IngressResponsePatch& bad : {
           with([](auto& p) { p.set_header("X-A", "1\r\nX-Evil: 1"); }),
           with([](auto& p) { p.set_header("X-A", std::string("\0", 1)); }),
           with([](auto& p) { p.set_header("X-Evil:", "1"); }),
           with([](auto& p) { p.status_message = "OK\r\nX-Evil: 1"; }),
           with([](auto& p) { p.status = 101; }),
           with([](auto& p) { p.status = 1000; }),
           with([](auto& p) { p.status = 65736; }),
       }) {
    patch = bad;
    std::string answer = exchange(testing::kOk);
    EXPECT_THAT(answer, StartsWith("HTTP/1.1 502 "));
    EXPECT_THAT(answer, Not(HasSubstr("Evil")));
  }
}

TEST_F(ResponseHooks, FieldsOfFramingStayTheGateways) {
  IngressResponsePatch patch;
  patch.set_header("Content-Length", "99");
  patch.set_header("Transfer-Encoding", "chunked");
  patch.set_header("Connection", "upgrade");
  patch.set_header("Trailer", "X");
  respond_with(patch);
  open();
  EXPECT_EQ(exchange(testing::kOk),
            "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nhi");
}

TEST_F(ResponseHooks, AHookThatThrowsIsA502AndABlockedErrorItsOwnAnswer) {
  hooks().on_response = [](const IngressResponse& response,
                           const IngressRequest&) -> IngressResponsePatch {
    if (response.status == 500) throw IngressRequestBlockedError("hidden", 503, "", "later\n");
    throw std::runtime_error("no idea");
  };
  open();
  EXPECT_THAT(exchange(testing::kOk), StartsWith("HTTP/1.1 502 "));
  std::string blocked = exchange("HTTP/1.1 500 Oops\r\nContent-Length: 6\r\n\r\nsecret");
  EXPECT_THAT(blocked, StartsWith("HTTP/1.1 503 Service Unavailable\r\n"));
  EXPECT_THAT(blocked, EndsWith("\r\n\r\nlater\n"));
}

TEST_F(ResponseHooks, AHandshakeThatIsTurnedDownNeverBecomesATunnel) {
  respond_with({.status = 403, .status_message = {}, .headers = {}, .body = "no\n"});
  open();
  Peer client =
      ask("GET / HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: "
          "websocket\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: "
          "13\r\n\r\n");
  auto [backend, head] = receive();
  backend.send(
      "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: "
      "websocket\r\n\r\nsecret");
  EXPECT_EQ(status_of(client.read_head()), "403");
  client.expect("no\n");
  EXPECT_NE((backend.read_to_end(), backend.ending()), End::kOpen);
}

}  // namespace
}  // namespace gondolin
