// The host's side of the fs port: whole FUSE messages in, whole replies out.
//
// The port carries pieces of messages (wire/frame.hpp, kMessage). This file joins
// and splits them and knows when the guest end is new; what the messages mean is
// the server's business. Replies that the guest does not take stop the reading of
// requests, so that memory is bounded whatever the guest does.
//
// One event-loop thread. What the guest sends is not trusted.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>

#include <boost/asio/any_io_executor.hpp>

#include "base/bytes.hpp"
#include "base/result.hpp"
#include "base/unique_fd.hpp"
#include "vm/channel_event.hpp"

namespace gondolin::vm {

// Answers the FUSE messages of one mount of one guest end.
class FsServer {
 public:
  FsServer() = default;
  FsServer(const FsServer&) = delete;
  FsServer& operator=(const FsServer&) = delete;
  virtual ~FsServer() = default;

  // Handles one request, which begins with a fuse_in_header whose length is that of
  // `message`. Replies go through the FsReply the server was made with, now or
  // later. An error means that the guest broke the protocol: the channel is closed.
  [[nodiscard]] virtual Status handle(Bytes message) = 0;
};

// Sends one message to the guest: the concatenation of `parts`, which are copied.
// After the guest end went away it does nothing.
using FsReply = std::function<void(std::span<const Bytes> parts)>;
using FsServerFactory = std::function<Result<std::unique_ptr<FsServer>>(FsReply)>;

class FsChannel {
 public:
  // The longest message either way: a WRITE or READ of 1 MiB and its headers.
  static constexpr std::size_t kMaxMessage = 1024 * 1024 + 4096;
  // Requests are not read while more than this waits to be sent.
  static constexpr std::size_t kMaxQueued = 2 * kMaxMessage;

  // Serves the port behind `socket` (a connected, non-blocking stream socket).
  // `sink` hears kUp, kRestarted and kFailed; it is not called from the constructor.
  FsChannel(const boost::asio::any_io_executor& executor, UniqueFd socket, FsServerFactory factory,
            ChannelEventSink sink);
  FsChannel(const FsChannel&) = delete;
  FsChannel& operator=(const FsChannel&) = delete;
  ~FsChannel();

  // Whether the guest's mount is usable: its INIT has been answered.
  [[nodiscard]] bool mounted() const;

  // Closes the port; the sink is not called any more.
  void close();

 private:
  class Core;
  std::shared_ptr<Core> core_;
};

}  // namespace gondolin::vm
