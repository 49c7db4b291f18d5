// sandboxd, the guest's end of the control port. See server.hpp.
#include "guest/common/program.hpp"
#include "guest/programs.hpp"
#include "guest/sandboxd/server.hpp"

namespace gondolin::guest {

int sandboxd(int argc, char** argv) {
  ChildDefaults defaults{.file_limit = raise_file_limit()};
  return run_on_port(argc, argv, "org.gondolin.control", [&](UniqueFd port) -> Status {
    auto epoll = Epoll::create();
    if (!epoll) return tl::unexpected(epoll.error());
    ControlServer server(std::move(*epoll), std::move(port), defaults);
    return server.serve();
  });
}

}  // namespace gondolin::guest
