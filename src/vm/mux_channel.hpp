// Byte streams over one virtio-serial port: drives wire::Mux over a socket.
//
// One coroutine reads the port and takes the mux's events out; whatever a turn of
// the loop wrote leaves in one send at its end. A read that waits gets its bytes
// straight from the port's buffer. When the guest end comes back after a crash, all
// streams are reset and the owner is told; when it breaks the protocol, the channel
// is closed and the owner is told.
//
// One event-loop thread.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include <boost/asio/any_io_executor.hpp>

#include "base/bytes.hpp"
#include "base/result.hpp"
#include "base/unique_fd.hpp"
#include "io/deadline.hpp"
#include "io/signal.hpp"
#include "io/stream.hpp"
#include "vm/channel_event.hpp"
#include "wire/mux.hpp"

namespace gondolin::vm {

class MuxCore;

// One stream of a MuxChannel, which it may outlive: its operations then return
// kReset. Bytes may be written before the guest has answered the open; reading waits
// for the answer. Destroying it ends the stream.
class MuxStream final : public ByteStream {
 public:
  ~MuxStream() override;

  Awaitable<Result<std::size_t>> read_some(MutableBytes buffer) override;
  Awaitable<Status> write(std::span<const Bytes> parts) override;
  void shutdown_write() override;
  void reset() noexcept override;

  // Writes of `parts` what is taken without waiting, and returns how many bytes that was;
  // write() goes on with the rest.
  std::size_t write_now(std::span<const Bytes> parts);

  // Waits for the guest's answer to the open. When it refused, the error has the
  // guest's errno: kRefused for ECONNREFUSED, kNotFound for ENOENT, kTimeout for
  // ETIMEDOUT, kLimit for EMFILE, kIo otherwise. One call at a time.
  [[nodiscard]] Awaitable<Status> opened();

  // From now on reading gives what has been received already, and then the end.
  void end_after_received();

  // Of this stream in the mux's terms; other streams' targets may name it.
  [[nodiscard]] wire::StreamId id() const { return id_; }

 private:
  friend class MuxCore;
  // The mux knows the stream until it is kOver.
  enum class State : std::uint8_t { kOpening, kOpen, kOver };

  MuxStream(std::shared_ptr<MuxCore> core, wire::StreamId id);

  // The guest answered the open; sent bytes; reset the stream.
  void on_opened(std::uint32_t os_error);
  void on_readable();
  void on_peer_reset();
  // Both directions are over: operations return `why` from now on.
  void end(Error why);
  [[nodiscard]] tl::unexpected<Error> ended() const;
  // Moves what the mux has for this stream into `buffer`.
  [[nodiscard]] std::size_t take(MutableBytes buffer);

  std::shared_ptr<MuxCore> core_;
  wire::StreamId id_;
  State state_ = State::kOpening;
  bool peer_reset_ = false;              // the guest reset it; what was received is still there
  bool finished_ = false;                // shutdown_write() was called
  bool ends_ = false;                    // end_after_received() was called
  MutableBytes wanted_{};                // of the read that waits
  std::size_t delivered_ = 0;            // bytes put into wanted_
  Error why_{ErrorCode::kReset, {}, 0};  // of kOver
  Signal answered_;
  Signal readable_;
  Signal writable_;
};

class MuxChannel {
 public:
  // Drives the port behind `socket` (a connected stream socket).
  // `name` is the guest daemon's, for messages. `sink` hears kUp, kRestarted and
  // kFailed; it is not called from the constructor.
  MuxChannel(const boost::asio::any_io_executor& executor, UniqueFd socket, std::string name,
             ChannelEventSink sink);
  MuxChannel(const MuxChannel&) = delete;
  MuxChannel& operator=(const MuxChannel&) = delete;
  ~MuxChannel();

  [[nodiscard]] boost::asio::any_io_executor executor() const;

  // Whether the guest end is there.
  [[nodiscard]] bool up() const;

  // Opens a stream to `target` (at most wire::kMaxPayload bytes) without waiting for
  // the answer. kUnavailable when the guest end is not there, kLimit when too many
  // streams are open.
  [[nodiscard]] Result<std::unique_ptr<MuxStream>> open(Bytes target);

  // For the deadlines of those who use the channel.
  [[nodiscard]] DeadlineQueue& deadlines();

  // Closes the port: every stream is reset, the sink is not called any more.
  void close();

 private:
  std::shared_ptr<MuxCore> core_;
};

}  // namespace gondolin::vm
