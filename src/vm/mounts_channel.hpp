// The host's side of the mounts port: offers directories to the guest, each a stream of
// FUSE messages over a provider of its own.
//
// A daemon that restarts gets all of them again, over the same providers. A mount that the
// guest ends (it was unmounted there, or its messages make no sense) stays ended.
//
// Memory is bounded: a mount takes up a request only while fewer than a fixed number are
// being answered or wait to be sent; until then its stream's window holds the guest up,
// and no other mount.
//
// One event-loop thread.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include <boost/asio/any_io_executor.hpp>

#include "base/debug_log.hpp"
#include "base/result.hpp"
#include "base/unique_fd.hpp"
#include "io/stream.hpp"
#include "vfs/provider.hpp"
#include "vm/channel_event.hpp"
#include "wire/mounts.hpp"

namespace gondolin::vm {

// A directory to be mounted in the guest.
struct GuestMount {
  wire::MountTarget target;
  // Serves it, through restarts of the daemon. One provider serves one mount.
  std::shared_ptr<vfs::Provider> provider;
};

class MountsChannel {
 public:
  // Drives the port behind `socket` (a connected stream socket). `sink` hears kUp,
  // kRestarted and kFailed; it is not called from the constructor.
  MountsChannel(const boost::asio::any_io_executor& executor, UniqueFd socket, DebugLog log,
                ChannelEventSink sink);
  MountsChannel(const MountsChannel&) = delete;
  MountsChannel& operator=(const MountsChannel&) = delete;
  ~MountsChannel();

  // Mounts all of them, one after the other, and returns when they are there. To be called
  // once, when the daemon is up. An error says which could not be mounted.
  [[nodiscard]] Awaitable<Status> mount(std::vector<GuestMount> mounts);

  // Closes the port: every mount ends, the sink is not called any more.
  void close();

 private:
  class Core;
  std::shared_ptr<Core> core_;
};

}  // namespace gondolin::vm
