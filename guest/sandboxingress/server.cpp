#include "guest/sandboxingress/server.hpp"

#include <cerrno>
#include <utility>

#include "wire/data_frame.hpp"

namespace gondolin::guest {

IngressServer::IngressServer(Epoll epoll, UniqueFd port)
    : StreamServer(std::move(epoll), std::move(port), wire::kUploadWindow) {}

// The target of a stream is a port, two bytes.
void IngressServer::open(const wire::MuxEvent& event) {
  std::uint16_t port = 0;
  if (event.target.size() == 2) {
    port = static_cast<std::uint16_t>(std::to_integer<unsigned>(event.target[0]) |
                                      std::to_integer<unsigned>(event.target[1]) << 8);
  }
  if (port == 0) return mux().refuse(event.stream, EINVAL);
  forget_if_gone(event.stream, carry(event.stream, port).connect());
}

}  // namespace gondolin::guest
