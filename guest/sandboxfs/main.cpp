// sandboxfs, which mounts the host's /etc/gondolin in the guest. See relay.hpp.
#include "guest/common/program.hpp"
#include "guest/sandboxfs/relay.hpp"

int main(int argc, char** argv) {
  using namespace gondolin;
  return guest::run_on_port(argc, argv, "org.gondolin.fs", [](UniqueFd port) -> Status {
    auto epoll = guest::Epoll::create();
    if (!epoll) return tl::unexpected(epoll.error());
    guest::FuseRelay relay(std::move(*epoll), std::move(port));
    return relay.serve();
  });
}
