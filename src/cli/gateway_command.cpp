// `gondolin gateway`: the ingress gateway without a VM, until SIGINT or SIGTERM.

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <ctime>
#include <filesystem>
#include <memory>
#include <optional>
#include <system_error>

#include <fmt/format.h>

#include "cli/commands.hpp"
#include "cli/confinement.hpp"
#include "gondolin/error.hpp"
#include "gondolin/gateway.hpp"

namespace gondolin::cli {

namespace {

struct GatewayArguments {
  std::string listeners;
  std::string listen;
  std::vector<std::string> hosts;
  bool disable_websockets = false;
  std::int64_t header_timeout_ms = 0;
  std::int64_t response_timeout_ms = 0;
};

void print_warning(const std::string& message) {
  fmt::print(stderr, "gondolin: warning: {}\n", message);
}

// A warning of a gateway that may read only the directories that it found the file in.
void print_confined_warning(const std::string& message) {
  const bool denied = message.ends_with(std::generic_category().message(EACCES));
  print_warning(message +
                (denied ? "; if its directory was replaced, start the gateway again" : ""));
}

// Blocks the signals that end the command, in this thread and those it starts, for
// sigwait() to take. That nobody reads what it prints any more (SIGPIPE) ends it not.
class EndSignals {
 public:
  EndSignals() {
    sigemptyset(&set_);
    sigaddset(&set_, SIGINT);
    sigaddset(&set_, SIGTERM);
    pthread_sigmask(SIG_BLOCK, &set_, nullptr);
    std::signal(SIGPIPE, SIG_IGN);
  }
  void wait() const {
    int signal = 0;
    sigwait(&set_, &signal);
  }

 private:
  sigset_t set_;
};

// Where the listeners file is read: beside its name and, when that is a link, beside what
// it names. An editor puts a new file in the place of either.
std::vector<std::filesystem::path> directories_of(const std::filesystem::path& listeners) {
  auto parent = [](const std::filesystem::path& file) {
    return file.has_parent_path() ? file.parent_path() : std::filesystem::path(".");
  };
  std::vector<std::filesystem::path> directories;
  std::error_code error;
  if (std::filesystem::is_directory(parent(listeners), error))
    directories.push_back(parent(listeners));
  auto target = std::filesystem::canonical(listeners, error);
  if (!error) directories.push_back(parent(target));
  return directories;
}

int run_gateway(const GatewayArguments& arguments) {
  GatewayOptions options;
  try {
    options.ingress.listen = parse_listen_address(arguments.listen);
  } catch (const ApiError& error) {
    fmt::print(stderr, "{}\n", error.what());
    return 1;
  }
  options.listeners = arguments.listeners;
  options.ingress.allowed_hosts = arguments.hosts;
  options.ingress.allow_websockets = !arguments.disable_websockets;
  if (arguments.header_timeout_ms > 0) {
    options.ingress.upstream_header_timeout =
        std::chrono::milliseconds(arguments.header_timeout_ms);
  }
  options.ingress.upstream_response_timeout =
      std::chrono::milliseconds(arguments.response_timeout_ms);
  options.debug = debug_options_from_environment();

  raise_descriptor_limit();
  const EndSignals signals;
  const bool confined = confinement_wanted();
  options.on_warning = confined ? print_confined_warning : print_warning;
  ::tzset();  // reads a file
  if (confined) {
    confine_files(directories_of(options.listeners), options.ingress.listen.port);
  }
  Ingress ingress = open_gateway(std::move(options));
  if (confined) confine_calls({kServingCalls, kGatewayCalls});
  if (std::string warning = ingress.bind_warning(); !warning.empty()) print_warning(warning);
  fmt::print("Ingress enabled: {}\nConfigure routes by editing {}.\n", ingress.url(),
             arguments.listeners);
  std::fflush(stdout);
  signals.wait();
  ingress.close();
  return 0;
}

}  // namespace

void add_gateway_command(CLI::App& app, Invocation& invocation) {
  auto arguments = std::make_shared<GatewayArguments>();
  CLI::App* command = app.add_subcommand(
      "gateway", "Run the ingress gateway without a VM, to servers on this machine's loopback");
  command->footer(
      "FILE has one route a line, \"<prefix> :<port> [strip_prefix=false]\", and may be edited\n"
      "at any time. The gateway ends, with status 0, on SIGINT and SIGTERM.");
  command->add_option("--listeners", arguments->listeners, "The listeners file to watch")
      ->required()
      ->type_name("FILE");
  command
      ->add_option("--listen", arguments->listen,
                   "Where to listen: HOST:PORT, :PORT, PORT or [::1]:PORT "
                   "(default: a free port of 127.0.0.1)")
      ->type_name("ADDRESS")
      ->expected(0, 1);
  command
      ->add_option("--ingress-host", arguments->hosts,
                   "Also answer requests for this host name; * for any (repeatable)")
      ->type_name("NAME")
      ->expected(1)
      ->take_all();
  command->add_flag("--disable-websockets", arguments->disable_websockets,
                    "Answer WebSocket upgrades with 501");
  command
      ->add_option("--header-timeout-ms", arguments->header_timeout_ms,
                   "How long a server may take to begin its response (default 60000)")
      ->type_name("N")
      ->check(CLI::Range(std::int64_t{1}, std::int64_t{86'400'000}));
  command
      ->add_option("--response-timeout-ms", arguments->response_timeout_ms,
                   "How long a body may be silent, 0 for as long as it likes (default)")
      ->type_name("N")
      ->check(CLI::Range(std::int64_t{0}, std::int64_t{86'400'000}));
  command->callback([arguments, &invocation] { invocation.exit_code = run_gateway(*arguments); });
}

}  // namespace gondolin::cli
