// sandboxmounts, which mounts what the host offers in the guest. See server.hpp.
#include "guest/common/program.hpp"
#include "guest/sandboxmounts/server.hpp"

int main(int argc, char** argv) {
  using namespace gondolin;
  return guest::run_on_port(argc, argv, "org.gondolin.mounts", [](UniqueFd port) -> Status {
    auto epoll = guest::Epoll::create();
    if (!epoll) return tl::unexpected(epoll.error());
    guest::MountsServer server(std::move(*epoll), std::move(port));
    return server.serve();
  });
}
