// Real daemons of the guest's, killed at every single message of a conversation: whatever the
// host has in progress ends with the right answer or a clear error, and the next conversation,
// with the daemon's successor, goes as if nothing had been.
#include <netinet/in.h>
#include <signal.h>
#include <sys/socket.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>
#include <string>
#include <thread>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "dying_daemon.hpp"
#include "guest/start_daemon.hpp"
#include "support.hpp"
#include "vm/control_client.hpp"
#include "vm/guest_opener.hpp"

namespace gondolin::vm {
namespace {

using namespace std::chrono_literals;
using testing::AnyOf;
using testing::Eq;
using testing::HasSubstr;
using testing::StartsWith;

// How a conversation ended: without errors, or with those of what was in progress.
using Errors = std::vector<Error>;

void keep(Errors& errors, const Status& done) {
  if (!done) errors.push_back(done.error());
}

// Reads to the end, which comes in order only behind all of `expected`.
Awaitable<void> read_whole(ByteStream& stream, std::string_view expected, Errors& errors) {
  std::string got;
  std::array<std::byte, 4096> buffer{};
  while (true) {
    auto count = co_await stream.read_some(buffer);
    if (!count) {
      errors.push_back(count.error());
      EXPECT_THAT(std::string(expected), StartsWith(got));
      co_return;
    }
    if (*count == 0) break;
    got += as_text(Bytes(buffer).first(*count));
  }
  EXPECT_EQ(got, expected);
}

class DaemonDeath : public DeathTest {
 protected:
  using Conversation = std::function<Awaitable<Errors>(MuxChannel&)>;

  // Has the conversation with daemons that die at each message of it; after each death it is
  // had again. Returns how many died.
  std::size_t die_at_every_message(
      const char* program, const std::string& name, const Conversation& converse,
      const std::function<void()>& after_death = [] {}) {
    const auto start = [&](int port) { return guest::start_daemon(program, port); };
    return DeathTest::die_at_every_message(start, [&](DyingDaemon& daemon) {
      unsigned ups = 0;
      MuxChannel channel(
          loop_.executor(), daemon.take_port(), name, [&](const ChannelEvent& event) {
            EXPECT_THAT(event.kind,
                        AnyOf(Eq(ChannelEvent::Kind::kUp), Eq(ChannelEvent::Kind::kRestarted)))
                << event.message;
            ++ups;
          });
      loop_.run_until([&] { return channel.up(); });
      const Errors errors = run(converse, channel);
      const bool died = daemon.died();
      if (!died) EXPECT_TRUE(errors.empty()) << errors.front().message;
      for (const Error& error : errors) {
        EXPECT_THAT(error.code, AnyOf(Eq(ErrorCode::kReset), Eq(ErrorCode::kUnavailable)));
        EXPECT_THAT(error.message, HasSubstr("guest's " + name));
      }
      if (died) {
        loop_.run_until([&] { return daemon.greeted() && daemon.greetings() == ups; });
        after_death();
        const Errors again = run(converse, channel);
        EXPECT_TRUE(again.empty()) << again.front().message;
      }
      channel.close();
      loop_.settle();
    });
  }

  Loop loop_;

 private:
  Errors run(const Conversation& converse, MuxChannel& channel) {
    Errors errors;
    loop_.run([&]() -> Awaitable<void> { errors = co_await converse(channel); });
    return errors;
  }
};

INSTANTIATE_TEST_SUITE_P(, DaemonDeath, every_death(), name_of_death);

// --- programs ---------------------------------------------------------------------

Awaitable<Errors> run_program(MuxChannel& channel) {
  ControlClient client(channel);
  wire::Spawn program;
  program.argv = {"sh", "-c", "read line; echo \"out $line\"; echo err >&2; exit 7"};
  Errors errors;
  auto process = co_await client.exec(program);
  if (!process) {
    errors.push_back(process.error());
    co_return errors;
  }
  (*process)->signal(SIGCONT);
  const std::array<Bytes, 1> line{as_bytes("line\n")};
  keep(errors, co_await (*process)->stdio().write(line));
  (*process)->stdio().shutdown_write();
  co_await read_whole((*process)->stdio(), "out line\n", errors);
  co_await read_whole((*process)->error(), "err\n", errors);
  auto status = co_await (*process)->wait();
  if (status) {
    EXPECT_EQ(status->shell_status(), 7);
  } else {
    errors.push_back(status.error());
  }
  co_return errors;
}

TEST_P(DaemonDeath, OfSandboxdWhileAProgramRuns) {
  const std::size_t deaths = die_at_every_message(SANDBOXD, "sandboxd", run_program);
  EXPECT_GE(deaths, least(8, 16));
}

// --- files ------------------------------------------------------------------------

std::string content_of(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

std::vector<std::string> names_in(const std::filesystem::path& directory) {
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(directory))
    names.push_back(entry.path().filename());
  return names;
}

// More than a stream's window.
const std::string kContent(100'000, 'n');

// Ends at its first error.
Awaitable<Errors> use_files(MuxChannel& channel, const std::filesystem::path& directory) {
  const GuestFiles files(channel);
  const std::string path = directory / "f";
  auto writing = co_await files.write({.path = path, .mode = wire::WriteMode::kAtomic});
  if (!writing) co_return Errors{writing.error()};
  auto written = co_await (*writing)->write(as_bytes(kContent));
  if (written) written = co_await (*writing)->finish();
  if (!written) co_return Errors{written.error()};
  EXPECT_TRUE(content_of(path) == kContent);

  auto reading = co_await files.read({.path = path, .offset = 0, .length = 1'000'000});
  if (!reading) co_return Errors{reading.error()};
  std::string got;
  ByteBuffer buffer(64 * 1024);
  while (true) {
    auto count = co_await (*reading)->read_some(buffer);
    if (!count) co_return Errors{count.error()};
    if (*count == 0) break;
    got += as_text(Bytes(buffer).first(*count));
  }
  EXPECT_TRUE(got == kContent);

  auto list = co_await files.list({directory});
  if (!list) co_return Errors{list.error()};
  EXPECT_EQ(list->size(), 1U);
  const std::string made = directory / "d";
  auto changed =
      co_await files.change(wire::MakeDirectory{.path = made, .parents = wire::Parents::kMake});
  if (changed) changed = co_await files.change(wire::RemoveFile{.path = made});
  if (!changed) co_return Errors{changed.error()};
  EXPECT_FALSE(std::filesystem::exists(made));
  co_return Errors{};
}

TEST_P(DaemonDeath, OfSandboxdWhileFilesAreReadAndWritten) {
  // Each conversation has a directory of its own: what was begun for a daemon that died may
  // yet be done for a moment.
  const TemporaryDirectory directory;
  std::filesystem::path current;
  const auto converse = [&, turn = 0](MuxChannel& channel) mutable {
    current = directory.path() / std::to_string(turn++);
    std::filesystem::create_directory(current);
    std::ofstream(current / "f") << "old";
    return use_files(channel, current);
  };
  const std::size_t deaths = die_at_every_message(SANDBOXD, "sandboxd", converse, [&] {
    // Never half of it, and nothing beside it.
    EXPECT_THAT(content_of(current / "f"), AnyOf(Eq("old"), Eq(kContent)));
    loop_.run_until([&] {
      return std::ranges::all_of(
          names_in(current), [](const std::string& name) { return name == "f" || name == "d"; });
    });
  });
  EXPECT_GE(deaths, least(20, 30));
}

// --- connections ------------------------------------------------------------------

// A TCP server on loopback that answers with all that it got, after its end.
class EchoServer {
 public:
  EchoServer() : listener_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    EXPECT_EQ(::bind(listener_.get(), reinterpret_cast<sockaddr*>(&address), size), 0);
    EXPECT_EQ(::listen(listener_.get(), 64), 0);
    ::getsockname(listener_.get(), reinterpret_cast<sockaddr*>(&address), &size);
    port_ = Port{ntohs(address.sin_port)};
    thread_ = std::thread([this] {
      while (true) {
        const UniqueFd peer(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
        if (!peer.valid()) return;
        echo(peer.get());
      }
    });
  }
  EchoServer(const EchoServer&) = delete;
  EchoServer& operator=(const EchoServer&) = delete;
  ~EchoServer() {
    ::shutdown(listener_.get(), SHUT_RDWR);
    thread_.join();
  }

  [[nodiscard]] Port port() const { return port_; }

 private:
  static void echo(int peer) {
    std::string all;
    std::array<char, 4096> buffer{};
    ssize_t count = 0;
    while ((count = ::recv(peer, buffer.data(), buffer.size(), 0)) > 0)
      all.append(buffer.data(), static_cast<std::size_t>(count));
    ::send(peer, all.data(), all.size(), MSG_NOSIGNAL);
  }

  UniqueFd listener_;
  Port port_{};
  std::thread thread_;
};

Awaitable<Errors> connect(MuxChannel& channel, Port port) {
  GuestOpener opener(channel);
  Errors errors;
  const std::array<Bytes, 1> first{as_bytes("first ")};
  auto opened = co_await opener.open(port, first, 20s);
  if (!opened) {
    errors.push_back(opened.error());
    co_return errors;
  }
  const std::array<Bytes, 1> last{as_bytes("last")};
  keep(errors, co_await opened->stream->write(last));
  opened->stream->shutdown_write();
  co_await read_whole(*opened->stream, "first last", errors);
  co_return errors;
}

TEST_P(DaemonDeath, OfSandboxingressWhileAConnectionIsOpen) {
  EchoServer server;
  const std::size_t deaths =
      die_at_every_message(SANDBOXINGRESS, "sandboxingress",
                           [&](MuxChannel& channel) { return connect(channel, server.port()); });
  EXPECT_GE(deaths, least(6, 10));
}

}  // namespace
}  // namespace gondolin::vm
