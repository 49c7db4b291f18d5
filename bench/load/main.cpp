// bench-load: a closed-loop HTTP/1.1 and WebSocket load generator. One thread, one
// epoll, as little work per request as can be, since it shares its core with the
// backend. `bench-load` alone prints its usage.

#include <unistd.h>

#include <chrono>
#include <csignal>
#include <cstdio>
#include <deque>
#include <thread>

#include "load/connection.hpp"
#include "load/options.hpp"

namespace gondolin::bench {
namespace {

// A run whose connections are all stuck for so long is over.
constexpr std::chrono::milliseconds kStuck{20'000};

int run(const Options& options) {
  Run run(options);
  const auto begin = Run::Clock::now();
  const auto patience = options.stall.count() > 0 ? options.stall : kStuck;
  std::deque<Connection> connections;
  for (std::size_t i = 0; i < options.connections; ++i)
    connections.emplace_back(run);
  while (run.active > 0) {
    const auto events = run.epoll.wait(static_cast<int>(patience.count()));
    if (events.empty() && options.stall.count() == 0) give_up("nothing happened for 20 s");
    if (events.empty()) break;
    for (const epoll_event& event : events)
      static_cast<Connection*>(event.data.ptr)->advance();
  }
  const std::chrono::duration<double> took = Run::Clock::now() - begin;
  std::printf(
      "{\"requests\": %llu, \"bytes\": %llu, \"errors\": %llu, \"stuck\": %zu, \"seconds\": %.6f, "
      "\"p50_us\": %.1f, \"p99_us\": %.1f}\n",
      static_cast<unsigned long long>(run.latencies.total()),
      static_cast<unsigned long long>(run.bytes), static_cast<unsigned long long>(run.errors),
      run.active, took.count(), static_cast<double>(run.latencies.quantile(0.5)) / 1e3,
      static_cast<double>(run.latencies.quantile(0.99)) / 1e3);
  std::fflush(stdout);
  if (run.errors > 0) std::fprintf(stderr, "first error: %s\n", run.first_error.c_str());
  std::this_thread::sleep_for(options.hold);
  return run.errors > 0 ? 1 : 0;
}

}  // namespace
}  // namespace gondolin::bench

int main(int argc, char** argv) {
  ::signal(SIGPIPE, SIG_IGN);
  return gondolin::bench::run(gondolin::bench::parse_options(argc, argv));
}
