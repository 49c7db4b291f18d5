// QMP against a QEMU that is played by a thread at the other end of a socket pair.

#include "vm/qmp.hpp"

#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <string>
#include <thread>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace gondolin::vm {
namespace {

using std::chrono::milliseconds;

constexpr const char* kGreeting = R"({"QMP": {"version": {}, "capabilities": []}})"
                                  "\n";

class QmpTest : public testing::Test {
 protected:
  void SetUp() override {
    std::array<int, 2> ends{};
    ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()), 0);
    ours_.reset(ends[0]);
    qemu_.reset(ends[1]);
  }

  void say(const std::string& text) {
    ASSERT_EQ(::write(qemu_.get(), text.data(), text.size()), static_cast<ssize_t>(text.size()));
  }
  // The next line that came from the client.
  nlohmann::json hear() {
    std::string line;
    char byte = 0;
    while (::read(qemu_.get(), &byte, 1) == 1 && byte != '\n')
      line += byte;
    return nlohmann::json::parse(line, nullptr, false);
  }

  // Runs one command to its end while `qemu` plays the other side.
  Result<nlohmann::json> execute(const std::string& command, const std::function<void()>& qemu,
                                 milliseconds deadline = milliseconds(10'000)) {
    asio::io_context loop;
    Qmp qmp(loop.get_executor(), std::move(ours_),
            [this](const std::string& name, const nlohmann::json&) { events_.push_back(name); });
    Result<nlohmann::json> result = fail(ErrorCode::kCancelled, "never answered");
    asio::co_spawn(
        loop,
        [&]() -> Awaitable<void> {
          result = co_await qmp.execute(command, nlohmann::json::object(), deadline);
          loop.stop();
        },
        asio::detached);
    std::jthread peer(qemu);
    loop.run();
    return result;
  }

  UniqueFd ours_;
  UniqueFd qemu_;
  std::vector<std::string> events_;
};

TEST_F(QmpTest, NegotiatesThenRunsACommandAndHearsEvents) {
  auto result = execute("query-status", [this] {
    say(kGreeting);
    nlohmann::json negotiation = hear();
    EXPECT_EQ(negotiation["execute"], "qmp_capabilities");
    say(nlohmann::json{{"return", nlohmann::json::object()}, {"id", negotiation["id"]}}.dump() +
        "\n");
    nlohmann::json command = hear();
    EXPECT_EQ(command["execute"], "query-status");
    say("{\"event\": \"RESUME\", \"data\": {}}\n");
    say(nlohmann::json{{"return", {{"running", true}}}, {"id", command["id"]}}.dump() + "\n");
  });
  ASSERT_TRUE(result) << result.error().message;
  EXPECT_EQ((*result)["running"], true);
  EXPECT_EQ(events_, (std::vector<std::string>{"RESUME"}));
}

TEST_F(QmpTest, PassesOnWhatQemuSaysOfAFailure) {
  auto result = execute("nonsense", [this] {
    say(kGreeting);
    say(nlohmann::json{{"return", nlohmann::json::object()}, {"id", hear()["id"]}}.dump() + "\n");
    say(nlohmann::json{{"error", {{"class", "CommandNotFound"}, {"desc", "no such command"}}},
                       {"id", hear()["id"]}}
            .dump() +
        "\n");
  });
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code, ErrorCode::kIo);
  EXPECT_NE(result.error().message.find("no such command"), std::string::npos);
}

TEST_F(QmpTest, ASilentQemuIsATimeout) {
  auto result = execute("query-status", [] {}, milliseconds(50));
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code, ErrorCode::kTimeout);
}

TEST_F(QmpTest, AQemuThatGoesAwayOrTalksNonsenseIsAReset) {
  auto gone = execute("query-status", [this] { qemu_.reset(); });
  ASSERT_FALSE(gone);
  EXPECT_EQ(gone.error().code, ErrorCode::kReset);

  SetUp();
  auto nonsense = execute("query-status", [this] { say("not json at all\n"); });
  ASSERT_FALSE(nonsense);
  EXPECT_EQ(nonsense.error().code, ErrorCode::kReset);
}

}  // namespace
}  // namespace gondolin::vm
