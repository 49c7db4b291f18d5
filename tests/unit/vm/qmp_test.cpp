#include "vm/qmp.hpp"

#include <memory>

#include <boost/asio/buffer.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/read_until.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "support.hpp"

namespace gondolin::vm {
namespace {

using namespace std::chrono_literals;
using nlohmann::json;
using testing::HasSubstr;

// QEMU's end of the connection.
class FakeQemu {
 public:
  FakeQemu(const asio::any_io_executor& executor, UniqueFd socket)
      : socket_(executor, asio::local::stream_protocol(), socket.release()) {}

  Awaitable<void> say(std::string text) {
    co_await asio::async_write(socket_, asio::buffer(text), asio::use_awaitable);
  }
  Awaitable<json> hear() {
    std::size_t size = co_await asio::async_read_until(socket_, asio::dynamic_buffer(heard_), '\n',
                                                       asio::use_awaitable);
    json message = json::parse(heard_.substr(0, size));
    heard_.erase(0, size);
    co_return message;
  }
  // Greets, and answers the negotiation.
  Awaitable<void> greet() {
    co_await say("{\"QMP\": {\"version\": {}, \"capabilities\": []}}\r\n");
    json negotiation = co_await hear();
    EXPECT_EQ(negotiation["execute"], "qmp_capabilities");
    co_await say("{\"return\": {}, \"id\": " + negotiation["id"].dump() + "}\r\n");
  }
  Awaitable<void> answer(const json& command, const json& answer) {
    json message = answer;
    message["id"] = command["id"];
    co_await say(message.dump() + "\r\n");
  }
  void hang_up() { socket_.close(); }

 private:
  asio::local::stream_protocol::socket socket_;
  std::string heard_;
};

class QmpTest : public testing::Test {
 protected:
  QmpTest()
      : pair_(make_socket_pair()),
        qemu_(loop_.executor(), std::move(pair_.theirs)),
        qmp_(loop_.executor(), std::move(pair_.ours),
             [this](const std::string& name, const json& data) {
               events_.push_back(name + " " + data.dump());
             }) {}
  ~QmpTest() override {
    qmp_.close();
    loop_.settle();
  }

  // Starts a command and leaves its outcome in outcome_.
  void execute(std::string command, std::chrono::milliseconds deadline = 20s) {
    spawn(loop_.executor(), [this, command, deadline]() -> Awaitable<void> {
      outcome_ = co_await qmp_.execute(command, {{"why", "test"}}, deadline);
    });
  }
  const Result<json>& outcome() {
    loop_.run_until([this] { return outcome_.has_value(); });
    return *outcome_;
  }

  Loop loop_;
  SocketPair pair_;
  FakeQemu qemu_;
  std::vector<std::string> events_;
  std::optional<Result<json>> outcome_;
  Qmp qmp_;
};

TEST_F(QmpTest, CommandsWaitForTheNegotiation) {
  execute("query-status");
  loop_.run([this]() -> Awaitable<void> {
    co_await qemu_.greet();
    json command = co_await qemu_.hear();
    EXPECT_EQ(command["execute"], "query-status");
    EXPECT_EQ(command["arguments"]["why"], "test");
    co_await qemu_.answer(command, {{"return", {{"running", true}}}});
  });
  ASSERT_TRUE(outcome());
  EXPECT_EQ((*outcome())["running"], true);
}

TEST_F(QmpTest, AFailedCommandHasQemusWords) {
  execute("frobnicate");
  loop_.run([this]() -> Awaitable<void> {
    co_await qemu_.greet();
    json command = co_await qemu_.hear();
    co_await qemu_.answer(command, {{"error", {{"class", "X"}, {"desc", "no such command"}}}});
  });
  ASSERT_FALSE(outcome());
  EXPECT_EQ(outcome().error().code, ErrorCode::kIo);
  EXPECT_THAT(outcome().error().message, HasSubstr("no such command"));
}

TEST_F(QmpTest, ACommandWhoseAnswerNobodyWaitsForIsSentInItsTurn) {
  qmp_.post("first", {{"what", "ever"}});
  execute("second");
  loop_.run([this]() -> Awaitable<void> {
    co_await qemu_.greet();
    json first = co_await qemu_.hear();
    json second = co_await qemu_.hear();
    EXPECT_EQ(first["execute"], "first");
    EXPECT_EQ(first["arguments"]["what"], "ever");
    EXPECT_EQ(second["execute"], "second");
    co_await qemu_.answer(first, {{"error", {{"class", "X"}, {"desc", "nobody hears this"}}}});
    co_await qemu_.answer(second, {{"return", {{"done", true}}}});
  });
  ASSERT_TRUE(outcome());
  EXPECT_EQ((*outcome())["done"], true);
}

TEST_F(QmpTest, EventsAreTold) {
  loop_.run([this]() -> Awaitable<void> {
    co_await qemu_.greet();
    co_await qemu_.say("{\"event\": \"SHUTDOWN\", \"data\": {\"reason\": \"guest-reset\"}}\r\n");
  });
  loop_.run_until([this] { return !events_.empty(); });
  EXPECT_THAT(events_, testing::ElementsAre("SHUTDOWN {\"reason\":\"guest-reset\"}"));
}

TEST_F(QmpTest, ACommandHasADeadline) {
  execute("quit", 30ms);
  ASSERT_FALSE(outcome());
  EXPECT_EQ(outcome().error().code, ErrorCode::kTimeout);
}

TEST_F(QmpTest, AnAnswerThatComesTooLateIsIgnored) {
  execute("slow", 30ms);
  loop_.run([this]() -> Awaitable<void> { co_await qemu_.greet(); });
  EXPECT_EQ(outcome().error().code, ErrorCode::kTimeout);
  outcome_.reset();
  execute("next");
  loop_.run([this]() -> Awaitable<void> {
    json slow = co_await qemu_.hear();
    json next = co_await qemu_.hear();
    co_await qemu_.answer(slow, {{"return", "late"}});
    co_await qemu_.answer(next, {{"return", "in time"}});
  });
  ASSERT_TRUE(outcome());
  EXPECT_EQ(*outcome(), "in time");
}

TEST_F(QmpTest, CommandsEndWhenQemuHangsUp) {
  execute("quit");
  loop_.settle();
  qemu_.hang_up();
  ASSERT_FALSE(outcome());
  EXPECT_EQ(outcome().error().code, ErrorCode::kReset);
}

TEST_F(QmpTest, WhatIsNotQmpEndsTheConnection) {
  for (const char* nonsense :
       {"[1]\n", "hello\n", "{\"return\": 1}\n", "{\"id\": \"x\"}\n", "\n"}) {
    SCOPED_TRACE(nonsense);
    auto pair = make_socket_pair();
    FakeQemu qemu(loop_.executor(), std::move(pair.theirs));
    Qmp qmp(loop_.executor(), std::move(pair.ours), [](const std::string&, const json&) {});
    loop_.run([&]() -> Awaitable<void> {
      co_await qemu.say(nonsense);
      auto outcome = co_await qmp.execute("quit", nullptr, 20s);
      EXPECT_FALSE(outcome);
      EXPECT_EQ(outcome.error().code, ErrorCode::kReset);
    });
  }
}

TEST_F(QmpTest, AnEndlessLineEndsTheConnection) {
  execute("quit");
  loop_.run([this]() -> Awaitable<void> {
    std::string piece(64 * 1024, ' ');
    for (std::size_t sent = 0; sent <= Qmp::kMaxLine; sent += piece.size()) {
      co_await qemu_.say(piece);
    }
  });
  ASSERT_FALSE(outcome());
  EXPECT_THAT(outcome().error().message, HasSubstr("too long"));
}

// As a start that is cut off: the coroutine owns the connection and the command on it.
TEST(QmpAtTheEndOfTheLoop, ACommandInProgressIsForgotten) {
  SocketPair pair = make_socket_pair();
  auto loop = std::make_unique<Loop>();
  spawn(loop->executor(), [&]() -> Awaitable<void> {
    Qmp qmp(loop->executor(), std::move(pair.ours), nullptr);
    auto answer = co_await qmp.execute("query-status", {}, 20s);
    ADD_FAILURE() << "it went on";
  });
  loop->settle();
  loop.reset();
}

}  // namespace
}  // namespace gondolin::vm
