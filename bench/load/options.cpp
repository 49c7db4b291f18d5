#include "load/options.hpp"

#include <cstdio>
#include <cstdlib>
#include <string_view>

#include "base/parse_number.hpp"

namespace gondolin::bench {

namespace {

constexpr const char* kUsage =
    "usage: bench-load ADDRESS:PORT [requests|websocket|stream] [OPTION=VALUE ...]\n"
    "  path=/        connections=1   ms=1000       requests=N   upload=BYTES\n"
    "  message=64    pause-us=0      hold-ms=0     reuse=yes|no\n"
    "  stall-ms=0    a run of which nothing is heard for so long ends; 0: after 20 s, as a "
    "failure\n"
    "Prints one line of JSON: requests, bytes, errors, stuck, seconds, p50_us, p99_us.\n";

std::uint64_t number(std::string_view text) {
  const auto value = parse_decimal(text);
  if (!value) give_up(kUsage);
  return *value;
}

void set(Options& options, std::string_view name, std::string_view value) {
  if (name == "path") {
    options.path = value;
  } else if (name == "connections") {
    options.connections = number(value);
  } else if (name == "ms") {
    options.duration = std::chrono::milliseconds(number(value));
  } else if (name == "requests") {
    options.requests = number(value);
  } else if (name == "upload") {
    options.upload = number(value);
  } else if (name == "message") {
    options.message = number(value);
  } else if (name == "pause-us") {
    options.read_pause = std::chrono::microseconds(number(value));
  } else if (name == "hold-ms") {
    options.hold = std::chrono::milliseconds(number(value));
  } else if (name == "stall-ms") {
    options.stall = std::chrono::milliseconds(number(value));
  } else if (name == "reuse" && (value == "yes" || value == "no")) {
    options.reuse = value == "yes" ? Options::Reuse::kKeepAlive : Options::Reuse::kClose;
  } else {
    give_up(kUsage);
  }
}

}  // namespace

Options parse_options(int argc, char** argv) {
  if (argc < 2) give_up(kUsage);
  Options options;
  options.to = parse_endpoint(argv[1]);
  for (int i = 2; i < argc; ++i) {
    const std::string_view word = argv[i];
    const std::size_t equals = word.find('=');
    if (word == "requests") {
      options.mode = Options::Mode::kRequests;
    } else if (word == "websocket") {
      options.mode = Options::Mode::kWebSocket;
    } else if (word == "stream") {
      options.mode = Options::Mode::kStream;
    } else if (equals == std::string_view::npos) {
      give_up(kUsage);
    } else {
      set(options, word.substr(0, equals), word.substr(equals + 1));
    }
  }
  if (options.connections == 0 || options.message == 0) give_up(kUsage);
  return options;
}

}  // namespace gondolin::bench
