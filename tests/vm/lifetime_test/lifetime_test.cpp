// The end of a VM in every state: while it starts, runs programs, answers for files and
// serves, by its creator's thread, by another and by the library's own threads, in whose
// callbacks it may be destroyed. Whatever was in progress is answered once, and nothing is
// left: no QEMU, no thread.

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <filesystem>
#include <future>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "gondolin/error.hpp"
#include "gondolin/image.hpp"
#include "gondolin/vm.hpp"
#include "support/command.hpp"

namespace gondolin::test {
namespace {

using namespace std::chrono_literals;

constexpr auto kLong = 120s;  // for what takes a second on an idle machine

VmOptions small_vm() {
  VmOptions options;
  options.image_store = {.store = {}, .guest_dir = GONDOLIN_GUEST_PROGRAMS};
  options.memory_mib = 256;
  return options;
}

// Something that happens once, on any thread, and that a test waits for.
template <typename T = bool>
class Event {
 public:
  void happens(T value = {}) {
    if (!happened_.exchange(true)) promise_.set_value(std::move(value));
  }
  [[nodiscard]] bool happened() const { return happened_; }
  // Fails the test, and gives nothing, when it takes too long.
  std::optional<T> wait() {
    if (future_.wait_for(kLong) != std::future_status::ready) {
      ADD_FAILURE() << "it does not happen";
      return std::nullopt;
    }
    return future_.get();
  }

 private:
  std::promise<T> promise_;
  std::future<T> future_ = promise_.get_future();
  std::atomic<bool> happened_ = false;
};

// How a call ended; each must end once.
class Ending {
 public:
  template <typename T>
  Completion<T> completion() {
    return [this](Outcome<T> outcome) {
      ++calls_;
      ended_.happens(outcome.ok() ? std::nullopt : std::optional(outcome.error().code()));
    };
  }
  void expect(ApiErrorCode code) {
    const auto how = ended_.wait();
    ASSERT_TRUE(how && *how) << "it did not fail";
    EXPECT_EQ(**how, code);
    EXPECT_EQ(calls_, 1);
  }

 private:
  std::atomic<int> calls_ = 0;
  Event<std::optional<ApiErrorCode>> ended_;
};

// A VM that whoever comes first destroys.
class Doomed {
 public:
  explicit Doomed(VmOptions options) : vm_(Vm::create(std::move(options))) {}
  [[nodiscard]] Vm& vm() { return *vm_; }
  void destroy() {
    vm_.reset();
    destroyed_.happens();
  }
  void expect_destroyed() { destroyed_.wait(); }

 private:
  std::optional<Vm> vm_;
  Event<> destroyed_;
};

// Serves "/file", and calls `asked` on the mount's thread when it is opened.
class AskedProvider final : public VfsProvider {
 public:
  explicit AskedProvider(std::function<void()> asked) : asked_(std::move(asked)) {}

  VfsAttributes attributes(const std::string& path) override {
    if (path == "/") return {.type = FileType::kDirectory, .permissions = 0755};
    if (path == "/file") return {.type = FileType::kFile, .size = 10};
    vfs_fail(ENOENT);
  }
  std::vector<FileEntry> list(const std::string&) override { return {{.name = "file"}}; }
  std::unique_ptr<VfsFile> open(const std::string&, const VfsOpen&) override {
    asked_();
    vfs_fail(EIO);
  }

 private:
  std::function<void()> asked_;
};

std::ptrdiff_t threads() {
  return std::distance(std::filesystem::directory_iterator("/proc/self/task"), {});
}

class Lifetime : public testing::Test {
 protected:
  Lifetime() { ImageStore(small_vm().image_store).ensure(); }
  ~Lifetime() override {
    EXPECT_TRUE(eventually([] { return children_of(::getpid()).empty(); })) << "QEMU goes on";
    EXPECT_TRUE(eventually([&] { return threads() <= threads_; })) << "threads go on";
  }

 private:
  std::ptrdiff_t threads_ = threads();
};

// A client that has sent a request and gets the answer at the end of the connection.
class Client {
 public:
  explicit Client(std::uint16_t port) : socket_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    EXPECT_EQ(::connect(socket_, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
    const std::string request = "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n";
    EXPECT_EQ(::send(socket_, request.data(), request.size(), MSG_NOSIGNAL),
              static_cast<ssize_t>(request.size()));
  }
  ~Client() { ::close(socket_); }
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  // At least one byte of what comes; false at the end.
  [[nodiscard]] bool more() const {
    std::array<char, 4096> buffer;
    return ::recv(socket_, buffer.data(), buffer.size(), 0) > 0;
  }

 private:
  int socket_;
};

// A server in the guest whose only answer never ends.
constexpr const char* kEndlessServer = R"(
import socket
listener = socket.create_server(('127.0.0.1', 8000))
while True:
    client, _ = listener.accept()
    client.sendall(b'HTTP/1.1 200 OK\r\n\r\n')
    client.sendall(b'and so on\n')
    kept = globals().setdefault('kept', [])
    kept.append(client)
)";

template <typename Work>
void expect_cancelled(Work work) {
  try {
    work();
    FAIL() << "it was not refused";
  } catch (const ApiError& error) {
    EXPECT_EQ(error.code(), ApiErrorCode::kCancelled) << error.what();
  }
}

Ingress serve(Vm& vm, IngressOptions options) {
  vm.async_run({.argv = {"python3", "-c", kEndlessServer}}, {}, [](const Outcome<RunResult>&) {});
  vm.wait_for_port(8000, kLong);
  Ingress ingress = vm.enable_ingress(options);
  vm.set_ingress_routes({{.prefix = "/", .port = 8000}});
  return ingress;
}

// --- while it starts ----------------------------------------------------------

// Stops a start at its line `line` of the debug log, by another thread; whether it came that far.
bool stop_start_at(int line) {
  std::stop_source source;
  Event<> reached;
  std::atomic<int> lines = 0;
  VmOptions options = small_vm();
  options.cancel = source.get_token();
  options.debug = {.topics = "all", .sink = [&](std::string_view, std::string_view) {
                     if (++lines == line) reached.happens();
                   }};
  std::optional<Vm> vm;
  std::jthread stopper([&] {
    if (reached.wait()) source.request_stop();
  });
  try {
    vm.emplace(Vm::create(std::move(options)));
  } catch (const ApiError& error) {
    EXPECT_EQ(error.code(), ApiErrorCode::kCancelled) << error.what();
    return true;
  }
  const bool came = reached.happened();
  reached.happens();
  return came;
}

TEST_F(Lifetime, AStartIsStoppedWhereverItIs) {
  int stops = 0;
  for (int line = 1; line < 4096 && stop_start_at(line); line *= 2)
    ++stops;
  EXPECT_GE(stops, 3);
}

TEST_F(Lifetime, AStartIsStoppedInACallbackOfItsOwn) {
  std::stop_source source;
  VmOptions options = small_vm();
  options.accelerator = Accelerator::kAuto;
  options.cancel = source.get_token();
  bool heard = false;
  options.on_event = [&](const VmEvent&) {
    heard = true;
    source.request_stop();
  };
  try {
    static_cast<void>(Vm::create(std::move(options)));
    EXPECT_FALSE(heard) << "it started all the same";  // on KVM there is nothing to tell
  } catch (const ApiError& error) {
    EXPECT_EQ(error.code(), ApiErrorCode::kCancelled) << error.what();
  }
}

TEST_F(Lifetime, AStartIsStoppedBeforeItBegins) {
  std::stop_source source;
  source.request_stop();
  VmOptions options = small_vm();
  options.cancel = source.get_token();
  try {
    static_cast<void>(Vm::create(std::move(options)));
    FAIL() << "it started";
  } catch (const ApiError& error) {
    EXPECT_EQ(error.code(), ApiErrorCode::kCancelled) << error.what();
  }
}

// --- by another thread ----------------------------------------------------------

TEST_F(Lifetime, WhileProgramsRun) {
  Doomed doomed(small_vm());
  std::array<Ending, 4> endings;
  Process program = doomed.vm().exec({.argv = {"sh", "-c", "echo ready; exec sleep 1000"}});
  std::array<std::byte, 16> buffer;
  EXPECT_EQ(program.read_stdout(buffer), 6U);
  program.async_wait(endings[0].completion<ExitStatus>());
  doomed.vm().async_run({.argv = {"sleep", "1000"}}, {}, endings[1].completion<RunResult>());
  doomed.vm().async_exec({.argv = {"sleep", "1000"}}, endings[2].completion<Process>());
  doomed.vm().async_wait_for_port(9, kLong, {}, endings[3].completion<ListeningPort>());
  std::jthread([&] { doomed.destroy(); }).join();
  endings[0].expect(ApiErrorCode::kCancelled);
  endings[1].expect(ApiErrorCode::kCancelled);
  endings[3].expect(ApiErrorCode::kCancelled);
  EXPECT_EQ(program.read_stdout(buffer), 0U) << "the program's end outlives the VM";
}

TEST_F(Lifetime, WhileThreadsWaitInItsBlockingFunctions) {
  Doomed doomed(small_vm());
  Process program = doomed.vm().exec({.argv = {"sh", "-c", "echo ready; exec sleep 1000"}});
  std::array<std::byte, 16> buffer;
  EXPECT_EQ(program.read_stdout(buffer), 6U);
  std::atomic<int> cancelled = 0;
  auto expecting = [&](auto call) {
    return std::jthread([&cancelled, call] {
      try {
        call();
      } catch (const ApiError& error) {
        if (error.code() == ApiErrorCode::kCancelled) ++cancelled;
      }
    });
  };
  {
    Vm& vm = doomed.vm();
    const std::array waiting{
        expecting([&] { program.wait(); }),
        expecting([&] { vm.run({.argv = {"sleep", "1000"}}); }),
        expecting([&] { vm.wait_for_port(9, kLong); }),
    };
    vm.close();
  }
  EXPECT_EQ(cancelled, 3);
  doomed.destroy();
}

TEST_F(Lifetime, AClosedVmTakesNoRoutesAndHasNone) {
  Vm vm = Vm::create(small_vm());
  Ingress ingress = vm.enable_ingress({});
  vm.set_ingress_routes({{.prefix = "/", .port = 8000}});
  ingress.close();
  expect_cancelled([&] { ingress.set_routes({{.prefix = "/", .port = 8001}}); });
  EXPECT_EQ(vm.ingress_routes().at(0).port, 8000);
  vm.close();
  expect_cancelled([&] { vm.set_ingress_routes({{.prefix = "/", .port = 8001}}); });
  expect_cancelled([&] { static_cast<void>(vm.ingress_routes()); });
}

TEST_F(Lifetime, WhileFilesAreReadAndAMountAnswers) {
  Event<> asked;
  Event<> answer;
  VmOptions options = small_vm();
  options.mounts = {{.path = "/slow", .provider = std::make_shared<AskedProvider>([&] {
                                        asked.happens();
                                        answer.wait();
                                      })}};
  Doomed doomed(std::move(options));
  doomed.vm().run({.argv = {"truncate", "-s", "40M", "/tmp/large"}});
  std::array<Ending, 3> endings;
  GuestFs files = doomed.vm().fs();
  files.async_read("/slow/file", {}, endings[0].completion<std::string>());
  asked.wait();
  files.async_read("/tmp/large", {}, endings[1].completion<std::string>());
  files.async_list("/slow", endings[2].completion<std::vector<FileEntry>>());
  std::jthread destroyer([&] { doomed.destroy(); });
  for (Ending& ending : endings)
    ending.expect(ApiErrorCode::kCancelled);
  answer.happens();  // the provider may take its time, and is waited for
  doomed.expect_destroyed();
  EXPECT_THROW(static_cast<void>(files.read("/etc/hostname")), ApiError);
}

TEST_F(Lifetime, WhileIngressServes) {
  Doomed doomed(small_vm());
  std::optional<Ingress> ingress(serve(doomed.vm(), {}));
  const Client streamed(ingress->port());
  EXPECT_TRUE(streamed.more());
  const Client other(ingress->port());
  std::jthread([&] { doomed.destroy(); }).join();
  while (streamed.more()) {
  }
  while (other.more()) {
  }
  expect_cancelled([&] { static_cast<void>(ingress->routes()); });
  expect_cancelled([&] { ingress->set_routes({{.prefix = "/", .port = 8001}}); });
  std::jthread([&] { ingress.reset(); }).join();
}

// --- in its own callbacks ---------------------------------------------------------

TEST_F(Lifetime, InACompletion) {
  Doomed doomed(small_vm());
  Ending cut_off;
  doomed.vm().async_run({.argv = {"sleep", "1000"}}, {}, cut_off.completion<RunResult>());
  doomed.vm().async_listening_ports(
      [&](const Outcome<std::vector<ListeningPort>>&) { doomed.destroy(); });
  doomed.expect_destroyed();
  cut_off.expect(ApiErrorCode::kCancelled);
}

TEST_F(Lifetime, InAnEvent) {
  std::atomic<Doomed*> ready = nullptr;
  VmOptions options = small_vm();
  options.on_event = [&](const VmEvent& event) {
    if (event.kind == VmEvent::Kind::kEmulation) return;
    if (Doomed* mine = ready.exchange(nullptr)) mine->destroy();
  };
  Doomed doomed(std::move(options));
  ready = &doomed;
  doomed.vm().async_run({.argv = {"pkill", "-9", "sandboxingress"}}, {},
                        [](const Outcome<RunResult>&) {});
  doomed.expect_destroyed();
}

TEST_F(Lifetime, WhenRoutesChange) {
  Doomed doomed(small_vm());
  IngressOptions options;
  options.on_routes = [&](const IngressRoutesEvent& event) {
    if (!event.routes.empty()) doomed.destroy();
  };
  Ingress ingress = doomed.vm().enable_ingress(options);
  doomed.vm().async_run({.argv = {"sh", "-c", "echo '/ :80' > /etc/gondolin/listeners"}}, {},
                        [](const Outcome<RunResult>&) {});
  doomed.expect_destroyed();
}

TEST_F(Lifetime, InAHookThatIsAsynchronous) {
  Doomed doomed(small_vm());
  IngressOptions options;
  options.hooks.async_is_allowed = [&](const IngressRequest&, const HookReply<bool>& reply) {
    doomed.destroy();
    reply.answer(true);
  };
  Ingress ingress = serve(doomed.vm(), options);
  const Client client(ingress.port());
  doomed.expect_destroyed();
  while (client.more()) {
  }
}

TEST_F(Lifetime, InAHookThatBlocks) {
  Doomed doomed(small_vm());
  IngressOptions options;
  options.hooks.is_allowed = [&](const IngressRequest&) {
    doomed.destroy();
    return true;
  };
  Ingress ingress = serve(doomed.vm(), options);
  const Client client(ingress.port());
  doomed.expect_destroyed();
  while (client.more()) {
  }
}

TEST_F(Lifetime, InAProvidersCall) {
  std::atomic<Doomed*> ready = nullptr;
  VmOptions options = small_vm();
  options.mounts = {{.path = "/mine", .provider = std::make_shared<AskedProvider>([&] {
                                        if (Doomed* mine = ready.exchange(nullptr)) mine->destroy();
                                      })}};
  Doomed doomed(std::move(options));
  ready = &doomed;
  Ending cut_off;
  doomed.vm().async_run({.argv = {"cat", "/mine/file"}}, {}, cut_off.completion<RunResult>());
  doomed.expect_destroyed();
  cut_off.expect(ApiErrorCode::kCancelled);
}

// --- all at once ------------------------------------------------------------------

// Destroys, by a thread of its own, a VM with all of the above in progress, once `count` calls
// have come to something.
void destroy_after(int count) {
  std::atomic<int> done = 0;
  std::atomic<int> ended = 0;
  Event<> enough;
  Event<> all_ended;
  constexpr int kCalls = 12;
  Doomed doomed(small_vm());
  std::optional<Ingress> ingress(serve(doomed.vm(), {}));
  std::optional<Client> client(ingress->port());
  auto counted = [&](const auto&) {
    if (++done == count) enough.happens();
    if (++ended == kCalls) all_ended.happens();
  };
  GuestFs files = doomed.vm().fs();
  for (int i = 0; i < kCalls / 4; ++i) {
    doomed.vm().async_run({.argv = {"sh", "-c", "echo hello"}}, {}, counted);
    doomed.vm().async_listening_ports(counted);
    files.async_write("/tmp/" + std::to_string(i), std::string(100'000, 'x'), {}, counted);
    files.async_read("/etc/passwd", {}, counted);
  }
  enough.wait();
  std::jthread destroyer([&] { doomed.destroy(); });
  std::jthread closer([&] { ingress.reset(); });
  doomed.expect_destroyed();
  all_ended.wait();
  while (client->more()) {
  }
}

TEST_F(Lifetime, InTheMidstOfEverything) {
  for (const int count : {1, 3, 7, 12})
    destroy_after(count);
}

}  // namespace
}  // namespace gondolin::test
