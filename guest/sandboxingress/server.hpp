// sandboxingress: connects the streams of the ingress port to TCP servers on the
// guest's loopback. It opens nothing else and listens on nothing.
#pragma once

#include "guest/common/stream_server.hpp"
#include "guest/sandboxingress/connection.hpp"

namespace gondolin::guest {

class IngressServer final : public StreamServer<Connection> {
 public:
  IngressServer(Epoll epoll, UniqueFd port);

 private:
  void open(const wire::MuxEvent& event) override;
};

}  // namespace gondolin::guest
