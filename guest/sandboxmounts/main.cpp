// sandboxmounts, which mounts what the host offers in the guest. See server.hpp.
#include "guest/common/program.hpp"
#include "guest/programs.hpp"
#include "guest/sandboxmounts/mounter.hpp"
#include "guest/sandboxmounts/server.hpp"

namespace gondolin::guest {

int sandboxmounts(int argc, char** argv) {
  return run_on_port(argc, argv, "org.gondolin.mounts", [](UniqueFd port) -> Status {
    auto epoll = Epoll::create();
    if (!epoll) return tl::unexpected(epoll.error());
    Mounter mounter(fuse_mounting());
    MountsServer server(std::move(*epoll), std::move(port), mounter);
    return server.serve();
  });
}

}  // namespace gondolin::guest
