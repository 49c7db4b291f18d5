// One mount of the mounts port: its stream, and the FUSE session over its provider.
#pragma once

#include <cstddef>
#include <deque>
#include <memory>
#include <span>
#include <string>

#include "base/debug_log.hpp"
#include "io/signal.hpp"
#include "vfs/fuse_session.hpp"
#include "vm/mounts_channel.hpp"
#include "vm/mux_channel.hpp"
#include "wire/mounts.hpp"

namespace gondolin::vm {

// Lives until its stream has ended and every answer was given. One event-loop thread.
class MountStream : public std::enable_shared_from_this<MountStream> {
 public:
  // How many requests may be with the provider, or their answers wait to be sent.
  static constexpr std::size_t kInWork = 16;

  MountStream(const asio::any_io_executor& executor, const GuestMount& mount,
              std::unique_ptr<MuxStream> stream, const DebugLog& log);

  // Waits until the guest has mounted it.
  [[nodiscard]] Awaitable<Status> opened() { return stream_->opened(); }
  // Answers requests from then on, until the stream ends.
  void serve();
  // Ends the stream; the guest's mount ends with it.
  void end();

 private:
  [[nodiscard]] Awaitable<void> read_requests();
  // False when the guest broke the protocol.
  [[nodiscard]] Awaitable<bool> take(Bytes bytes);
  [[nodiscard]] Awaitable<void> write_answers();
  void answer(std::span<const Bytes> parts);
  void debug(const std::string& line) const;

  const asio::any_io_executor executor_;
  const std::string path_;
  const DebugLog log_;
  const std::shared_ptr<vfs::Provider> provider_;
  const std::unique_ptr<MuxStream> stream_;
  wire::FuseMessageCutter requests_;
  std::deque<ByteBuffer> answers_;
  bool ended_ = false;
  Signal room_;     // wakes read_requests()
  Signal to_send_;  // wakes write_answers()
  vfs::FuseSession session_;
};

}  // namespace gondolin::vm
