// The control client against a sandboxd that does what each test says.
#include "vm/control_client.hpp"

#include <cerrno>
#include <map>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support.hpp"

namespace gondolin::vm {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::HasSubstr;
using EventKind = wire::MuxEvent::Kind;

wire::Spawn program(std::vector<std::string> argv) {
  wire::Spawn spawn;
  spawn.argv = std::move(argv);
  return spawn;
}

Awaitable<std::string> read_all(ByteStream& stream) {
  std::string text;
  std::array<std::byte, 4096> buffer{};
  while (true) {
    auto count = co_await stream.read_some(buffer);
    if (!count) co_return text + " [" + count.error().message + "]";
    if (*count == 0) co_return text;
    text += as_text(Bytes(buffer).first(*count));
  }
}

class ControlClientTest : public testing::Test {
 protected:
  ControlClientTest() {
    auto pair = make_socket_pair();
    sandboxd_ = std::make_shared<GuestEnd>(
        loop_.executor(), std::move(pair.theirs),
        [this](wire::Mux& mux, const wire::MuxEvent& event) { handle(mux, event); });
    channel_ = std::make_unique<MuxChannel>(loop_.executor(), std::move(pair.ours), "sandboxd",
                                            [](const ChannelEvent&) {});
    client_ = std::make_unique<ControlClient>(*channel_);
    sandboxd_->start();
    loop_.run_until([this] { return channel_->up() && sandboxd_->mux().up(); });
  }
  ~ControlClientTest() override {
    channel_->close();
    sandboxd_->close();
    loop_.settle();
  }

  void handle(wire::Mux& mux, const wire::MuxEvent& event) {
    if (event.kind == EventKind::kOpen) return open(mux, event);
    if (event.kind == EventKind::kReset) {
      if (event.stream == exec_) exec_ended_ = true;
      return mux.close(event.stream);
    }
    if (event.kind != EventKind::kReadable || event.stream != exec_) return;
    while (!mux.read(exec_).empty()) {
      auto used = reader_.feed(mux.read(exec_));
      ASSERT_TRUE(used);
      mux.consume(exec_, *used);
      auto message = reader_.next();
      ASSERT_TRUE(message);
      if (*message) messages_.push_back(**message);
      if (*message && messages_.size() == 1) on_spawn_(mux);
    }
  }

  void open(wire::Mux& mux, const wire::MuxEvent& event) {
    auto target = wire::decode_target(event.target);
    ASSERT_TRUE(target);
    targets_.push_back(*target);
    if (*target == wire::ControlTarget(wire::PrepareTarget{}))
      return mux.refuse(event.stream, EPERM);
    mux.accept(event.stream);
    if (std::holds_alternative<wire::ExecTarget>(*target)) exec_ = event.stream;
    if (std::holds_alternative<wire::StdioTarget>(*target)) stdio_ = event.stream;
    if (std::holds_alternative<wire::StderrTarget>(*target)) stderr_ = event.stream;
    if (std::holds_alternative<wire::PortsTarget>(*target)) {
      send(event.stream, wire::ListeningPorts{{{8000, wire::ListenAddress::kAny4, 12, "python3"}}});
      mux.finish(event.stream);
      mux.close(event.stream);
    }
    if (std::holds_alternative<wire::PrepareTarget>(*target)) {
      mux.finish(event.stream);
      mux.close(event.stream);
    }
  }

  void send(wire::StreamId stream, const wire::ControlMessage& message) {
    auto bytes = wire::encode_message(message);
    ASSERT_TRUE(bytes);
    ASSERT_EQ(sandboxd_->mux().write(stream, *bytes), bytes->size());
    sandboxd_->schedule_flush();
  }
  void print(wire::StreamId stream, std::string_view text) {
    ASSERT_EQ(sandboxd_->mux().write(stream, as_bytes(text)), text.size());
  }

  Loop loop_;
  std::function<void(wire::Mux&)> on_spawn_ = [this](wire::Mux&) {
    send(exec_, wire::Started{42});
  };
  std::vector<wire::ControlTarget> targets_;
  std::vector<wire::ControlMessage> messages_;
  wire::StreamId exec_{};
  wire::StreamId stdio_{};
  wire::StreamId stderr_{};
  bool exec_ended_ = false;
  wire::MessageReader reader_;
  std::shared_ptr<GuestEnd> sandboxd_;
  std::unique_ptr<MuxChannel> channel_;
  std::unique_ptr<ControlClient> client_;
};

TEST_F(ControlClientTest, RunsAProgramToItsEnd) {
  on_spawn_ = [this](wire::Mux&) {
    send(exec_, wire::Started{42});
    print(stdio_, "out");
    print(stderr_, "err");
    send(exec_, wire::Exited{7});
    send(exec_, wire::Drained{});
  };
  loop_.run([this]() -> Awaitable<void> {
    auto process = co_await client_->exec(program({"make", "all"}));
    EXPECT_TRUE(process);
    EXPECT_EQ((*process)->pid(), 42U);
    // Nobody has closed the streams: that the program has ended is enough.
    EXPECT_EQ(co_await read_all((*process)->stdio()), "out");
    EXPECT_EQ(co_await read_all((*process)->error()), "err");
    auto status = co_await (*process)->wait();
    EXPECT_TRUE(status);
    EXPECT_EQ(status->shell_status(), 7);
  });
  auto id = static_cast<std::uint32_t>(exec_);
  EXPECT_THAT(targets_, ElementsAre(wire::ControlTarget(wire::ExecTarget{}),
                                    wire::ControlTarget(wire::StdioTarget{id}),
                                    wire::ControlTarget(wire::StderrTarget{id})));
  EXPECT_THAT(messages_, ElementsAre(wire::ControlMessage(program({"make", "all"}))));
}

TEST_F(ControlClientTest, ASignalIsTheShellsStatus) {
  on_spawn_ = [this](wire::Mux&) {
    send(exec_, wire::Started{42});
    send(exec_, wire::Signaled{9});
  };
  loop_.run([this]() -> Awaitable<void> {
    auto process = co_await client_->exec(program({"x"}));
    EXPECT_TRUE(process);
    auto status = co_await (*process)->wait();
    EXPECT_TRUE(status);
    EXPECT_EQ(status->shell_status(), 137);
  });
}

TEST_F(ControlClientTest, OutputOfOthersCanComeAfterTheEnd) {
  on_spawn_ = [this](wire::Mux&) {
    send(exec_, wire::Started{42});
    send(exec_, wire::Exited{0});
  };
  loop_.run([this]() -> Awaitable<void> {
    auto process = co_await client_->exec(program({"x"}));
    EXPECT_TRUE(co_await (*process)->wait());
    print(stdio_, "late");
    send(exec_, wire::Drained{});
    EXPECT_EQ(co_await read_all((*process)->stdio()), "late");
  });
}

TEST_F(ControlClientTest, AProgramThatIsNotThereIsNotFound) {
  on_spawn_ = [this](wire::Mux&) { send(exec_, wire::Failed{ENOENT, "x: command not found"}); };
  loop_.run([this]() -> Awaitable<void> {
    auto process = co_await client_->exec(program({"x"}));
    EXPECT_FALSE(process);
    EXPECT_EQ(process.error().code, ErrorCode::kNotFound);
    EXPECT_EQ(process.error().message, "x: command not found");
  });
}

TEST_F(ControlClientTest, WithoutAProgramNothingIsOpened) {
  loop_.run([this]() -> Awaitable<void> {
    EXPECT_EQ((co_await client_->exec(program({}))).error().code, ErrorCode::kInvalidArgument);
    EXPECT_EQ((co_await client_->exec(program({"a", std::string("b\0c", 3)}))).error().code,
              ErrorCode::kInvalidArgument);
  });
  EXPECT_TRUE(targets_.empty());
}

TEST_F(ControlClientTest, ATerminalHasNoStandardErrorOfItsOwn) {
  loop_.run([this]() -> Awaitable<void> {
    auto spawn = program({"bash"});
    spawn.terminal = wire::TerminalSize{.rows = 50, .columns = 132};
    auto process = co_await client_->exec(spawn);
    EXPECT_TRUE(process);
    EXPECT_EQ(co_await read_all((*process)->error()), "");
  });
  EXPECT_EQ(targets_.size(), 2U);
}

TEST_F(ControlClientTest, SignalsAndTheLatestSizeReachTheProgram) {
  loop_.run([this]() -> Awaitable<void> {
    auto process = co_await client_->exec(program({"x"}));
    EXPECT_TRUE(process);
    (*process)->resize({.rows = 1, .columns = 1});
    (*process)->resize({.rows = 2, .columns = 2});
    (*process)->signal(15);
    (*process)->signal(9);
    for (int turns = 0; messages_.size() < 4 && turns < 100'000; ++turns) {
      co_await asio::post(loop_.executor(), asio::use_awaitable);
    }
  });
  ASSERT_EQ(messages_.size(), 4U);
  EXPECT_EQ(messages_[1], wire::ControlMessage(wire::Resize{{.rows = 2, .columns = 2}}));
  EXPECT_EQ(messages_[2], wire::ControlMessage(wire::Signal{15}));
  EXPECT_EQ(messages_[3], wire::ControlMessage(wire::Signal{9}));
}

TEST_F(ControlClientTest, DestroyingTheProcessEndsTheProgram) {
  loop_.run([this]() -> Awaitable<void> {
    auto process = co_await client_->exec(program({"x"}));
    EXPECT_TRUE(process);
  });
  loop_.run_until([this] { return exec_ended_; });
}

TEST_F(ControlClientTest, CancelEndsEveryWait) {
  std::unique_ptr<GuestProcess> process;
  loop_.run(
      [&]() -> Awaitable<void> { process = std::move(*co_await client_->exec(program({"x"}))); });
  std::optional<Result<ExitStatus>> status;
  std::optional<std::string> output;
  spawn(loop_.executor(), [&]() -> Awaitable<void> { status = co_await process->wait(); });
  spawn(loop_.executor(),
        [&]() -> Awaitable<void> { output = co_await read_all(process->stdio()); });
  loop_.settle();
  process->cancel();
  loop_.run_until([&] { return status && output; });
  EXPECT_EQ(status->error().code, ErrorCode::kCancelled);
}

TEST_F(ControlClientTest, ALostSandboxdEndsTheWait) {
  loop_.run([this]() -> Awaitable<void> {
    auto process = co_await client_->exec(program({"x"}));
    EXPECT_TRUE(process);
    sandboxd_->restart();
    sandboxd_->schedule_flush();
    auto status = co_await (*process)->wait();
    EXPECT_FALSE(status);
    EXPECT_EQ(status.error().code, ErrorCode::kReset);
    EXPECT_THAT(co_await read_all((*process)->stdio()), HasSubstr("restarted"));
  });
}

TEST_F(ControlClientTest, AMessageOutOfPlaceEndsTheProgram) {
  on_spawn_ = [this](wire::Mux&) {
    send(exec_, wire::Started{42});
    send(exec_, wire::Started{43});
  };
  loop_.run([this]() -> Awaitable<void> {
    auto process = co_await client_->exec(program({"x"}));
    EXPECT_TRUE(process);
    auto status = co_await (*process)->wait();
    EXPECT_FALSE(status);
    EXPECT_EQ(status.error().code, ErrorCode::kProtocol);
  });
  loop_.run_until([this] { return exec_ended_; });
}

TEST_F(ControlClientTest, TellsTheListeningPorts) {
  loop_.run([this]() -> Awaitable<void> {
    auto ports = co_await client_->listening_ports();
    EXPECT_TRUE(ports);
    EXPECT_THAT(*ports,
                ElementsAre(wire::ListeningPort{8000, wire::ListenAddress::kAny4, 12, "python3"}));
  });
}

TEST_F(ControlClientTest, PreparesTheGuest) {
  wire::PrepareTarget target;
  target.wall_clock_ns = 5;
  target.hostname = "box";
  loop_.run([&]() -> Awaitable<void> { EXPECT_TRUE(co_await client_->prepare(target, 20s)); });
  EXPECT_THAT(targets_, ElementsAre(wire::ControlTarget(target)));
}

TEST_F(ControlClientTest, SaysWhatTheGuestCouldNotPrepare) {
  loop_.run([this]() -> Awaitable<void> {
    auto answer = co_await client_->prepare({}, 20s);
    EXPECT_FALSE(answer);
    EXPECT_EQ(answer.error().os_error, EPERM);
  });
}

}  // namespace
}  // namespace gondolin::vm
