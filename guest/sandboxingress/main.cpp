// sandboxingress, the guest's end of the ingress port. See server.hpp.
#include "guest/common/program.hpp"
#include "guest/sandboxingress/server.hpp"

int main(int argc, char** argv) {
  using namespace gondolin;
  guest::raise_file_limit();
  return guest::run_on_port(argc, argv, "org.gondolin.ingress", [](UniqueFd port) -> Status {
    auto epoll = guest::Epoll::create();
    if (!epoll) return tl::unexpected(epoll.error());
    guest::IngressServer server(std::move(*epoll), std::move(port));
    return server.serve();
  });
}
