#include "guest/common/program.hpp"

#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>

#include <cstdint>
#include <cstdio>
#include <string>

#include "base/parse_number.hpp"
#include "guest/common/port.hpp"

namespace gondolin::guest {
namespace {

Result<UniqueFd> port_from(int argc, char** argv, std::string_view port_name) {
  if (argc == 1) return open_port(port_name);
  auto number = argc == 3 && std::string_view(argv[1]) == "--port-fd"
                    ? parse_decimal<unsigned>(argv[2])
                    : std::nullopt;
  if (!number) {
    return fail(ErrorCode::kInvalidArgument, std::string("usage: ") + argv[0] + " [--port-fd N]");
  }
  UniqueFd fd(static_cast<int>(*number));
  if (::fcntl(fd.get(), F_SETFD, FD_CLOEXEC) != 0) return fail_errno("--port-fd", errno);
  return fd;
}

Status run(int argc, char** argv, std::string_view port_name,
           const std::function<Status(UniqueFd)>& serve) {
  auto port = port_from(argc, argv, port_name);
  if (!port) return tl::unexpected(port.error());
  return serve(std::move(*port));
}

}  // namespace

int run_on_port(int argc, char** argv, std::string_view port_name,
                const std::function<Status(UniqueFd)>& serve) {
  ::signal(SIGPIPE, SIG_IGN);
  Status ended = run(argc, argv, port_name, serve);
  if (ended || ended.error().code == ErrorCode::kClosed) return 0;
  std::fprintf(stderr, "%s: %s\n", argc > 0 ? argv[0] : "?", ended.error().message.c_str());
  return 1;
}

std::uint64_t raise_file_limit() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return 1024;
  rlim_t before = limit.rlim_cur;
  limit.rlim_cur = limit.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &limit);
  return before;
}

}  // namespace gondolin::guest
