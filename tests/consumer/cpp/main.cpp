// Uses the installed library as a program would: a VM, programs in it, its ports, its
// ingress with a hook and route events, calls that do not block, and the end of it all.
// Says what failed and exits 1 if something did.

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <chrono>
#include <condition_variable>
#include <functional>
#include <future>
#include <iostream>
#include <mutex>
#include <stop_token>
#include <string>
#include <thread>
#include <vector>

#include <gondolin/gateway.hpp>
#include <gondolin/template.hpp>
#include <gondolin/version.hpp>
#include <gondolin/vm.hpp>

namespace {

using namespace std::chrono_literals;

int failures = 0;

void check(bool holds, const std::string& what) {
  std::cout << (holds ? "ok      " : "FAILED  ") << what << std::endl;
  if (!holds) ++failures;
}

gondolin::ApiErrorCode code_of(const std::function<void()>& call) {
  try {
    call();
  } catch (const gondolin::ApiError& error) {
    return error.code();
  }
  return gondolin::ApiErrorCode::kFailed;
}

// The whole answer to a GET of `path`.
std::string get(const gondolin::Ingress& ingress, const std::string& path) {
  int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(ingress.port());
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  std::string answer;
  if (::connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0) {
    std::string request =
        "GET " + path + " HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    if (::send(fd, request.data(), request.size(), MSG_NOSIGNAL) > 0) {
      char buffer[4096];
      for (ssize_t count; (count = ::recv(fd, buffer, sizeof buffer, 0)) > 0;)
        answer.append(buffer, static_cast<std::size_t>(count));
    }
  }
  ::close(fd);
  return answer;
}

// What the gateway told of the routes, for a thread that waits for some of it.
class RoutesLog {
 public:
  void add(const gondolin::IngressRoutesEvent& event) {
    std::lock_guard lock(mutex_);
    events_.push_back(event);
    changed_.notify_all();
  }
  bool wait_for(const std::function<bool(const gondolin::IngressRoutesEvent&)>& wanted) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, 20s, [&] {
      for (const auto& event : events_)
        if (wanted(event)) return true;
      return false;
    });
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<gondolin::IngressRoutesEvent> events_;
};

void use_programs(gondolin::Vm& vm) {
  gondolin::RunResult result =
      vm.run({.argv = {"sh", "-c", "cat; echo err >&2; exit 3"}}, {.input = "in", .timeout = 60s});
  check(result.output == "in" && result.errors == "err\n" && result.status.code == 3,
        "run() gives both streams and the status");
  result = vm.run({.argv = {"sh", "-c", "echo begun; sleep 1000"}}, {.timeout = 2s});
  check(result.timed_out && result.output == "begun\n", "run() ends at its timeout");
  std::stop_source source;
  source.request_stop();
  check(code_of([&] {
          static_cast<void>(vm.run({.argv = {"sleep", "1000"}}, {.cancel = source.get_token()}));
        }) == gondolin::ApiErrorCode::kCancelled,
        "run() ends when it is asked to stop");
  check(code_of([&] { static_cast<void>(vm.exec({.argv = {"/no/such/program"}})); }) ==
            gondolin::ApiErrorCode::kNotFound,
        "an ApiError that the library throws is caught by its type");

  gondolin::Process process = vm.exec({.argv = {"cat"}});
  std::promise<std::string> echoed;
  process.async_read_stdout(
      100, [&](gondolin::Outcome<std::string> bytes) { echoed.set_value(bytes.value()); });
  process.async_write_stdin("echo", [](const gondolin::Outcome<bool>&) {});
  check(echoed.get_future().get() == "echo", "a process is written and read without blocking");
}

void use_ingress(gondolin::Vm& vm) {
  RoutesLog routes;
  gondolin::IngressOptions options;
  options.on_routes = [&](const gondolin::IngressRoutesEvent& event) { routes.add(event); };
  options.hooks.on_response = [](const gondolin::IngressResponse&,
                                 const gondolin::IngressRequest&) {
    gondolin::IngressResponsePatch patch;
    patch.set_header("X-Consumer", "was here");
    return patch;
  };
  gondolin::Ingress ingress = vm.enable_ingress(options);

  gondolin::Process server = vm.exec({.argv = {"python3", "-m", "http.server", "8000"}});
  check(vm.wait_for_port(8000, 60s).process.starts_with("python"), "the server's port is found");
  bool listed = false;
  for (const gondolin::ListeningPort& each : vm.listening_ports())
    listed = listed || each.port == 8000;
  check(listed, "it is among the listening ports");
  check(code_of([&] { vm.wait_for_port(8001, 100ms); }) == gondolin::ApiErrorCode::kTimeout,
        "a port on which nothing listens times out");

  vm.set_ingress_routes({{.prefix = "/files", .port = 8000}});
  check(vm.ingress_routes() == ingress.routes() && ingress.routes().size() == 1,
        "the route is in force");
  check(routes.wait_for([](const auto& event) { return event.routes.size() == 1; }),
        "the route is told of");
  std::string answer = get(ingress, "/files/");
  check(answer.starts_with("HTTP/1.1 200") && answer.find(": was here\r\n") != answer.npos,
        "a request passes the hook");

  vm.run({.argv = {"sh", "-c", "printf '# fine\\n/ :80x\\n' > /etc/gondolin/listeners"}});
  check(routes.wait_for([](const auto& event) {
    return event.error && event.error->line == 2 && event.routes.size() == 1;
  }),
        "a bad line of the listeners file is told of, by its number");
}

void end_at_any_moment() {
  gondolin::VmOptions options;
#ifdef GUEST_DIR
  options.image_store.guest_dir = GUEST_DIR;
#endif
  auto vm = std::make_unique<gondolin::Vm>(gondolin::Vm::create(options));
  std::promise<gondolin::ApiErrorCode> run_ended;
  std::promise<gondolin::ApiErrorCode> wait_ended;
  std::promise<void> destroyed;
  vm->async_run({.argv = {"sleep", "1000"}}, {}, [&](gondolin::Outcome<gondolin::RunResult> end) {
    run_ended.set_value(end.ok() ? gondolin::ApiErrorCode::kFailed : end.error().code());
  });
  vm->async_wait_for_port(1, 1000s, {}, [&](gondolin::Outcome<gondolin::ListeningPort> end) {
    wait_ended.set_value(end.ok() ? gondolin::ApiErrorCode::kFailed : end.error().code());
  });
  vm->async_listening_ports([&](const gondolin::Outcome<std::vector<gondolin::ListeningPort>>&) {
    vm.reset();  // on the VM's own thread
    destroyed.set_value();
  });
  destroyed.get_future().get();
  check(run_ended.get_future().get() == gondolin::ApiErrorCode::kCancelled,
        "a run ends with the VM that is destroyed in a completion");
  check(wait_ended.get_future().get() == gondolin::ApiErrorCode::kCancelled, "so does a wait");
}

}  // namespace

int main() try {
  gondolin::VmOptions options;
#ifdef GUEST_DIR
  options.image_store.guest_dir = GUEST_DIR;
#endif
  gondolin::ImageStore(options.image_store).ensure(options.image);
  check(std::string(gondolin::kVersion).starts_with("0."), "the headers have a version");
  check(gondolin::parse_listen_address(":80").port == 80, "a function that needs no VM");
  {
    gondolin::Vm vm = gondolin::Vm::create(options);
    use_programs(vm);
    use_ingress(vm);
    vm.close();
    check(code_of([&] { static_cast<void>(vm.run({.argv = {"true"}})); }) ==
              gondolin::ApiErrorCode::kCancelled,
          "a VM that was closed runs nothing");
  }
  end_at_any_moment();
  return failures == 0 ? 0 : 1;
} catch (const gondolin::ApiError& error) {
  std::cerr << "FAILED  " << error.what() << "\n";
  return 1;
}
