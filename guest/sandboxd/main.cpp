// sandboxd, the guest's end of the control port. See server.hpp.
#include <fcntl.h>
#include <unistd.h>

#include <fstream>
#include <string>

#include "guest/common/program.hpp"
#include "guest/sandboxd/server.hpp"

namespace {

// Out of memory, the kernel is to end what runs here before the daemon. Returns what
// the score was, for children to get back.
std::string protect_from_oom() {
  std::string before = "0";
  std::ifstream("/proc/self/oom_score_adj") >> before;
  std::ofstream("/proc/self/oom_score_adj") << "-900";
  return before;
}

}  // namespace

int main(int argc, char** argv) {
  using namespace gondolin;
  guest::ChildDefaults defaults{.file_limit = guest::raise_file_limit(),
                                .oom_score_adj = protect_from_oom()};
  return guest::run_on_port(argc, argv, "org.gondolin.control", [&](UniqueFd port) -> Status {
    auto epoll = guest::Epoll::create();
    if (!epoll) return tl::unexpected(epoll.error());
    guest::ControlServer server(std::move(*epoll), std::move(port), defaults);
    return server.serve();
  });
}
