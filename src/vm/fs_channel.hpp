// The host's side of the fs port: drives vfs::FsLink over a socket.
//
// A daemon that restarts begins a new mount over the same provider. When it breaks
// the protocol, the channel is closed and the owner is told.
//
// One event-loop thread.
#pragma once

#include <memory>

#include <boost/asio/any_io_executor.hpp>

#include "base/debug_log.hpp"
#include "base/unique_fd.hpp"
#include "vfs/provider.hpp"
#include "vm/channel_event.hpp"

namespace gondolin::vm {

class FsChannel {
 public:
  // Serves `provider` to the port behind `socket` (a connected stream socket); both
  // live until the last reply that the provider owes. `sink` hears kUp, kRestarted, kMounted and
  // kFailed; it is not called from the constructor.
  FsChannel(const boost::asio::any_io_executor& executor, UniqueFd socket,
            std::shared_ptr<vfs::Provider> provider, DebugLog log, ChannelEventSink sink);
  FsChannel(const FsChannel&) = delete;
  FsChannel& operator=(const FsChannel&) = delete;
  ~FsChannel();

  // Closes the port; the sink is not called any more.
  void close();

 private:
  class Core;
  std::shared_ptr<Core> core_;
};

}  // namespace gondolin::vm
