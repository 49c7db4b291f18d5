// sandboxmounts: mounts the host's directories at the paths that it names, and carries
// FUSE messages between each mount's device and its stream of the mounts port.
//
// One thread, one epoll set, which never touches a path: one that leads through another
// mount of ours would wait for us. Mounting is done by a short-lived process.
#pragma once

#include <cstdint>
#include <memory>
#include <unordered_map>

#include "base/result.hpp"
#include "base/unique_fd.hpp"
#include "guest/common/epoll.hpp"
#include "guest/common/mux_port.hpp"
#include "guest/sandboxmounts/mount.hpp"

namespace gondolin::guest {

class MountsServer {
 public:
  MountsServer(Epoll epoll, UniqueFd port);
  MountsServer(const MountsServer&) = delete;
  MountsServer& operator=(const MountsServer&) = delete;

  // Serves until the port fails.
  [[nodiscard]] Status serve();

 private:
  void on_stream_event(const wire::MuxEvent& event);
  void on_descriptor_event(const epoll_event& event);
  void open(const wire::MuxEvent& event);
  void forget_if_gone(std::uint32_t stream, Mount::State state);

  Epoll epoll_;
  MuxPort port_;
  std::unordered_map<std::uint32_t, std::unique_ptr<Mount>> mounts_;  // by stream id
};

}  // namespace gondolin::guest
