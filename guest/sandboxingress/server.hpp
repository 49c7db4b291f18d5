// sandboxingress: connects the streams of the ingress port to TCP servers on the
// guest's loopback. It opens nothing else and listens on nothing.
//
// One thread, one epoll set. A turn of the loop handles all sockets that have
// events, then the port, so that what the sockets gave leaves in few writes.
#pragma once

#include <cstdint>
#include <unordered_map>

#include "base/result.hpp"
#include "base/unique_fd.hpp"
#include "guest/common/epoll.hpp"
#include "guest/common/mux_port.hpp"
#include "guest/sandboxingress/connection.hpp"

namespace gondolin::guest {

class IngressServer {
 public:
  IngressServer(Epoll epoll, UniqueFd port);
  IngressServer(const IngressServer&) = delete;
  IngressServer& operator=(const IngressServer&) = delete;

  // Serves until the port fails.
  [[nodiscard]] Status serve();

 private:
  void on_stream_event(const wire::MuxEvent& event);
  void open(const wire::MuxEvent& event);
  void on_socket_event(const epoll_event& event);
  void forget_if_gone(std::uint32_t stream, Connection::State state);

  Epoll epoll_;
  MuxPort port_;
  std::unordered_map<std::uint32_t, Connection> connections_;  // by stream id
};

}  // namespace gondolin::guest
