// sandboxmounts: mounts the host's directories at the paths that it names, and carries
// FUSE messages between each mount's device and its stream of the mounts port.
//
// It never touches a path: one that leads through another mount of ours would wait for us.
// Mounting is done by a short-lived process; see mounter.hpp.
#pragma once

#include "guest/common/stream_server.hpp"
#include "guest/sandboxmounts/mount.hpp"

namespace gondolin::guest {

class MountsServer final : public StreamServer<Mount> {
 public:
  // `mounter` outlives the server.
  MountsServer(Epoll epoll, UniqueFd port, Mounter& mounter);

 private:
  void open(const wire::MuxEvent& event) override;

  Mounter& mounter_;
};

}  // namespace gondolin::guest
