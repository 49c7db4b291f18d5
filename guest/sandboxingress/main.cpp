// sandboxingress, the guest's end of the ingress port. See server.hpp.
#include "guest/common/program.hpp"
#include "guest/programs.hpp"
#include "guest/sandboxingress/server.hpp"

namespace gondolin::guest {

int sandboxingress(int argc, char** argv) {
  raise_file_limit();
  return run_on_port(argc, argv, "org.gondolin.ingress", [](UniqueFd port) -> Status {
    auto epoll = Epoll::create();
    if (!epoll) return tl::unexpected(epoll.error());
    IngressServer server(std::move(*epoll), std::move(port));
    return server.serve();
  });
}

}  // namespace gondolin::guest
