// Boots a guest with src/vm alone and measures it: start to ready, `true`, round
// trips through the ingress channel, the end.
//
//   vm_probe KERNEL INITRAMFS ROOT [auto|kvm|tcg] [REPEAT]
//   vm_probe KERNEL INITRAMFS ROOT hold      prints QEMU's pid and waits to be killed
#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

#include <boost/asio/io_context.hpp>
#include <fmt/format.h>

#include "io/spawn.hpp"
#include "vfs/config_directory.hpp"
#include "vm/vm.hpp"

namespace gondolin {
namespace {

using Clock = std::chrono::steady_clock;

double ms_since(Clock::time_point begin) {
  return std::chrono::duration<double, std::milli>(Clock::now() - begin).count();
}

[[noreturn]] void die(const std::string& what) {
  fmt::print(stderr, "vm_probe: {}\n", what);
  std::exit(1);
}

template <typename T>
T need(Result<T> result) {
  if (!result) die(result.error().message);
  if constexpr (!std::is_void_v<T>) return std::move(*result);
}

Awaitable<std::string> read_all(ByteStream& stream) {
  std::string text;
  std::array<std::byte, 16384> buffer{};
  while (true) {
    std::size_t count = need(co_await stream.read_some(buffer));
    if (count == 0) co_return text;
    text += as_text(Bytes(buffer).first(count));
  }
}

Awaitable<Result<std::unique_ptr<vm::GuestProcess>>> start_program(vm::Vm& guest,
                                                                   std::vector<std::string> argv) {
  wire::Spawn spawn;
  spawn.argv = std::move(argv);
  co_return co_await guest.control().exec(spawn);
}

// Runs a program to its end; its standard output and status.
Awaitable<std::pair<std::string, int>> run(vm::Vm& guest, std::vector<std::string> argv) {
  auto process = need(co_await start_program(guest, std::move(argv)));
  process->stdio().shutdown_write();
  std::string output = co_await read_all(process->stdio());
  output += co_await read_all(process->error());
  co_return std::pair(output, need(co_await process->wait()).shell_status());
}

constexpr char kEchoServer[] =
    "import socket\n"
    "s=socket.create_server(('127.0.0.1',7000))\n"
    "print('up',flush=True)\n"
    "while True:\n"
    "  c,_=s.accept()\n"
    "  c.setsockopt(socket.IPPROTO_TCP,socket.TCP_NODELAY,1)\n"
    "  try:\n"
    "    while d := c.recv(65536): c.sendall(d)\n"
    "  except OSError: pass\n"
    "  c.close()\n";

Awaitable<void> measure_round_trips(vm::Vm& guest) {
  auto server = need(co_await start_program(guest, {"python3", "-c", kEchoServer}));
  std::array<std::byte, 65536> buffer{};
  need(co_await server->stdio().read_some(buffer));  // "up"

  std::string payload(64, 'x');
  std::array<Bytes, 1> parts{as_bytes(payload)};
  auto stream = need(co_await guest.opener().open(Port{7000}, {}, std::chrono::seconds(5)));
  std::vector<double> times;
  for (int i = 0; i < 500; ++i) {
    auto begin = Clock::now();
    need(co_await stream->write(parts));
    for (std::size_t got = 0; got < payload.size();) {
      got += need(co_await stream->read_some(buffer));
    }
    times.push_back(ms_since(begin) * 1000);
  }
  std::sort(times.begin(), times.end());
  fmt::print("round trip, 64 bytes: median {:.0f} us, p99 {:.0f} us\n", times[times.size() / 2],
             times[times.size() * 99 / 100]);
  stream->reset();

  auto begin = Clock::now();
  constexpr int kOpens = 200;
  for (int i = 0; i < kOpens; ++i) {
    auto one = need(co_await guest.opener().open(Port{7000}, parts, std::chrono::seconds(5)));
    need(co_await one->read_some(buffer));
    one->shutdown_write();
    while (need(co_await one->read_some(buffer)) > 0) {
    }
  }
  fmt::print("open, 64 bytes there and back, end: {:.0f} per s\n",
             kOpens / (ms_since(begin) / 1000));

  begin = Clock::now();
  auto ports = need(co_await guest.control().listening_ports());
  fmt::print("listening ports in {:.1f} ms:", ms_since(begin));
  for (const auto& port : ports)
    fmt::print(" {} ({})", port.port, port.process);
  auto refused = co_await guest.opener().open(Port{7001}, {}, std::chrono::seconds(5));
  fmt::print("\nport 7001: {}\n", refused ? "open" : refused.error().message);
}

Awaitable<void> probe(asio::any_io_executor executor, vm::VmOptions options, bool hold) {
  auto begin = Clock::now();
  auto topics =
      need(DebugTopics::parse(std::getenv("GONDOLIN_DEBUG") ? std::getenv("GONDOLIN_DEBUG") : ""));
  DebugLog log(topics, [](DebugTopic, std::string_view line) { fmt::print(stderr, "{}\n", line); });
  auto guest = need(co_await vm::Vm::start(
      executor, std::move(options),
      [](const vm::VmEvent& event) { fmt::print("event: {}\n", event.message); }, log));
  fmt::print("ready after {:.0f} ms with {}\n", ms_since(begin),
             vm::accelerator_name(guest->accelerator()));
  if (hold) {
    fmt::print("pid {}\n", guest->qemu_pid());
    std::fflush(stdout);
    fmt::print("ended: {}\n", co_await guest->wait());
    co_return;
  }
  for (const char* attempt : {"first", "second", "third"}) {
    auto once = Clock::now();
    auto [output, status] = co_await run(*guest, {"true"});
    fmt::print("exec true, the {} time: {:.1f} ms, status {} {}\n", attempt, ms_since(once), status,
               output);
  }
  auto [facts, status] = co_await run(
      *guest, {"sh", "-c",
               "hostname; date; cat /etc/gondolin/listeners | head -1; uname -r; cat "
               "/sys/devices/system/clocksource/clocksource0/current_clocksource; exit 7"});
  fmt::print("status {}:\n{}", status, facts);
  co_await measure_round_trips(*guest);
  begin = Clock::now();
  co_await guest->stop();
  fmt::print("stopped after {:.0f} ms; running: {}\n", ms_since(begin), guest->running());
}

}  // namespace
}  // namespace gondolin

int main(int argc, char** argv) {
  using namespace gondolin;
  if (argc < 4) die("usage: vm_probe KERNEL INITRAMFS ROOT [auto|kvm|tcg|hold] [REPEAT]");
  std::string mode = argc > 4 ? argv[4] : "tcg";
  int repeat = argc > 5 ? std::atoi(argv[5]) : 1;
  for (int i = 0; i < repeat; ++i) {
    asio::io_context loop(1);
    vm::VmOptions options;
    options.kernel = argv[1];
    options.initramfs = argv[2];
    options.root = argv[3];
    options.memory_mib = 512;
    options.accelerator = mode == "auto"  ? vm::AcceleratorChoice::kAuto
                          : mode == "kvm" ? vm::AcceleratorChoice::kKvm
                                          : vm::AcceleratorChoice::kTcg;
    options.config = std::make_shared<vfs::ConfigDirectory>("# no routes yet\n");
    spawn(loop.get_executor(),
          [&] { return probe(loop.get_executor(), std::move(options), mode == "hold"); });
    loop.run();
  }
  return 0;
}
