// sandboxd, the guest's end of the control port. See server.hpp.
#include "guest/common/program.hpp"
#include "guest/sandboxd/server.hpp"

int main(int argc, char** argv) {
  using namespace gondolin;
  guest::ChildDefaults defaults{.file_limit = guest::raise_file_limit()};
  return guest::run_on_port(argc, argv, "org.gondolin.control", [&](UniqueFd port) -> Status {
    auto epoll = guest::Epoll::create();
    if (!epoll) return tl::unexpected(epoll.error());
    guest::ControlServer server(std::move(*epoll), std::move(port), defaults);
    return server.serve();
  });
}
