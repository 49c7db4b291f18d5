// Each allocation of the gateway's thread fails once, from accepting a client to its connection's
// end, for every kind of request: the client gets its answer, or 503, or an answer that breaks
// off, always soon; and the next client is served as ever.

#include <functional>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "failing_new.hpp"
#include "one_shot_backend.hpp"
#include "unit/ingress/wire.hpp"

namespace gondolin::ingress::testing {
namespace {

class AllocationFailureInARequest : public GatewayTest {
 protected:
  // A client's part: sends, and returns all that comes back.
  using Conversation = std::function<std::string(Peer&)>;

  void SetUp() override {
    routes_ = "/ :" + std::to_string(backend_.port()) + "\n/nobody :1\n";
    config_.buffer = 64 * 1024;
  }
  void TearDown() override {
    stop();
    answerers_.clear();
  }

  // What a client says at once, before it reads.
  static Conversation say(std::string text) {
    return [text = std::move(text)](Peer& peer) {
      peer.send(text);
      return peer.read_to_end();
    };
  }

  // Has the conversation again and again, with another allocation failing each time, until none
  // fails any more.
  void converse(const Conversation& conversation) {
    start(config_);
    const std::string whole = converse_once(conversation);
    ASSERT_NE(whole, "");
    std::size_t refused = 0;
    bool failed = true;
    for (std::size_t n = 0; failed; ++n) {
      SCOPED_TRACE("allocation " + std::to_string(n));
      forget_free_memory();
      on_loop([&] { test::fail_after(n); });
      const std::string got = converse_once(conversation);
      on_loop([&] { failed = test::stop_failing(); });
      if (got.find(kRefusal) != std::string::npos) {
        ++refused;
      } else {
        EXPECT_TRUE(whole.starts_with(got)) << got;
      }
      if (!failed) EXPECT_EQ(got, whole);
      EXPECT_EQ(converse_once(conversation), whole);
      if (HasFailure()) return;
    }
    EXPECT_GT(refused, 0U);
  }

  std::string converse_once(const Conversation& conversation) {
    Peer peer = connect();
    std::string got = conversation(peer);
    EXPECT_NE(peer.ending(), End::kOpen) << "the client was left waiting";
    peer.close();
    bool gone = false;
    for (int turns = 0; !gone && turns < kPatienceMs; ++turns) {
      on_loop([&] { gone = gateway_->connections() == 0; });
      if (!gone) std::this_thread::yield();
    }
    EXPECT_TRUE(gone) << "the connection stays";
    return got;
  }

  // The loop's thread keeps freed blocks for its next handlers, which so need no allocation; each
  // run() of the loop begins without.
  void forget_free_memory() {
    asio::post(loop_, [] { throw std::bad_alloc(); });
    on_loop([] {});
  }

  // Hooks that let everything pass, asked and answered on a thread of their own.
  Hooks hooks() {
    answerers_.reserve(100'000);
    return {.is_allowed =
                [this](const HookRequest&, HookAnswer<bool> answer) {
                  answerers_.emplace_back([answer = std::move(answer)] { answer(true); });
                },
            .on_request =
                [this](const HookRequest&, HookAnswer<RequestPatch> answer) {
                  answerers_.emplace_back([answer = std::move(answer)] {
                    answer(RequestPatch{.method = {},
                                        .backend_host = {},
                                        .backend_port = {},
                                        .backend_target = {},
                                        .fields = {{"X-Hook", {"a value that is no short string"}}},
                                        .buffering = {},
                                        .max_buffered = {}});
                  });
                },
            .on_response =
                [this](const HookResponse&, const HookRequest&, HookAnswer<ResponsePatch> answer) {
                  answerers_.emplace_back([answer = std::move(answer)] {
                    answer(ResponsePatch{.status = {},
                                         .reason = "a reason that is no short string",
                                         .fields = {{"X-Hook", {"seen by a hook"}}},
                                         .body = {}});
                  });
                }};
  }

  static constexpr std::string_view kRefusal = "HTTP/1.1 503 Service Unavailable\r\n";

  static std::string request(std::string_view line, std::string_view fields = {}) {
    return std::string(line) + " HTTP/1.1\r\nHost: localhost\r\n" + std::string(fields) + "\r\n";
  }

  GatewayConfig config_;
  OneShotBackend server_{backend_};
  std::vector<std::jthread> answerers_;
};

constexpr std::string_view kClose = "Connection: close\r\n";

TEST_F(AllocationFailureInARequest, Get) {
  converse(say(request("GET /", kClose)));
}

TEST_F(AllocationFailureInARequest, TwoRequestsAtOnce) {
  converse(say(request("GET /") + request("GET /", kClose)));
}

TEST_F(AllocationFailureInARequest, LargeDownload) {
  converse(say(request("GET /large", kClose)));
}

TEST_F(AllocationFailureInARequest, UploadWithItsLength) {
  converse(say(request("POST /", "Connection: close\r\nContent-Length: 300000\r\n") +
               std::string(300'000, 'x')));
}

TEST_F(AllocationFailureInARequest, UploadInChunks) {
  std::string body;
  for (int i = 0; i < 60; ++i)
    body += "1000\r\n" + std::string(0x1000, 'x') + "\r\n";
  converse(say(request("POST /", "Connection: close\r\nTransfer-Encoding: chunked\r\n") + body +
               "0\r\n\r\n"));
}

TEST_F(AllocationFailureInARequest, UploadThatWaitsForA100) {
  const std::string head =
      request("POST /", "Connection: close\r\nContent-Length: 5\r\nExpect: 100-continue\r\n");
  converse([head](Peer& peer) {
    peer.send(head);
    if (peer.readable(kPatienceMs)) peer.send("words");
    return peer.read_to_end();
  });
}

TEST_F(AllocationFailureInARequest, WebSocket) {
  const std::string head =
      request("GET /",
              "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
              "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n");
  converse([head](Peer& peer) {
    peer.send(head);
    if (peer.readable(kPatienceMs)) peer.send(std::string(100'000, 'x'));
    peer.shutdown_write();
    return peer.read_to_end();
  });
}

TEST_F(AllocationFailureInARequest, NobodyListens) {
  listening_ports_ = []() -> Awaitable<std::vector<std::uint16_t>> {
    co_return std::vector<std::uint16_t>{3000, 5173};
  };
  converse(say(request("GET /nobody", "Connection: close\r\nAccept: text/html\r\n")));
}

TEST_F(AllocationFailureInARequest, Refused) {
  converse(say("GET / HTTP/1.1\r\nHost: localhost\r\nHost: twice\r\n\r\n"));
}

TEST_F(AllocationFailureInARequest, HookedGet) {
  hooks_ = hooks();
  converse(say(request("GET /", kClose)));
}

TEST_F(AllocationFailureInARequest, HookedUploadAndABufferedAnswer) {
  hooks_ = hooks();
  config_.buffering = Buffering::kYes;
  converse(say(request("POST /", "Connection: close\r\nContent-Length: 300000\r\n") +
               std::string(300'000, 'x')));
}

// A client that leaves in the middle of its body, and is not answered.
TEST_F(AllocationFailureInARequest, ClientThatLeaves) {
  start(config_);
  bool failed = true;
  for (std::size_t n = 0; failed; ++n) {
    SCOPED_TRACE("allocation " + std::to_string(n));
    forget_free_memory();
    on_loop([&] { test::fail_after(n); });
    converse_once([&](Peer& peer) {
      peer.send(request("POST /", "Content-Length: 300000\r\n") + std::string(100'000, 'x'));
      peer.shutdown_write();
      return peer.read_to_end();
    });
    on_loop([&] { failed = test::stop_failing(); });
    EXPECT_TRUE(converse_once(say(request("GET /", kClose))).starts_with("HTTP/1.1 200"));
    if (HasFailure()) return;
  }
}

}  // namespace
}  // namespace gondolin::ingress::testing
