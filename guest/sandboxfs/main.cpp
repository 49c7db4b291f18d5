// sandboxfs, which mounts the host's /etc/gondolin in the guest. See relay.hpp.
#include "guest/common/program.hpp"
#include "guest/programs.hpp"
#include "guest/sandboxfs/mount_point.hpp"
#include "guest/sandboxfs/relay.hpp"

namespace gondolin::guest {

int sandboxfs(int argc, char** argv) {
  return run_on_port(argc, argv, "org.gondolin.fs", [](UniqueFd port) -> Status {
    auto epoll = Epoll::create();
    if (!epoll) return tl::unexpected(epoll.error());
    FuseRelay relay(std::move(*epoll), std::move(port),
                    {.mount = mount_fuse, .detach = detach_mounts});
    return relay.serve();
  });
}

}  // namespace gondolin::guest
