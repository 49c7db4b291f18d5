// What the gateway and the VM channels agree on: a byte stream and something
// that opens one to a port. Behind it is the VM's mux, or plain TCP.
//
// All of it belongs to one event-loop thread. An operation in progress holds a
// reference to the stream: the owner keeps the stream alive until every
// operation it started has ended, and ends them with reset().
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

#include <boost/asio/awaitable.hpp>

#include "base/bytes.hpp"
#include "base/result.hpp"

namespace gondolin {

namespace asio = boost::asio;

template <typename T>
using Awaitable = asio::awaitable<T>;

// A TCP port of the guest's (or this machine's) loopback, 1 to 65535.
enum class Port : std::uint16_t {};

// A connected, full-duplex byte stream. One read and one write may be in progress
// at a time. Deadlines are the caller's: it calls reset() when one passes, which
// makes pending operations return kCancelled.
class ByteStream {
 public:
  ByteStream() = default;
  ByteStream(const ByteStream&) = delete;
  ByteStream& operator=(const ByteStream&) = delete;
  virtual ~ByteStream() = default;

  // Reads at least one byte into `buffer` (not empty) and returns how many.
  // 0 is the peer's half-close, after which only 0 follows. kReset when the peer
  // aborted, kCancelled after reset().
  [[nodiscard]] virtual Awaitable<Result<std::size_t>> read_some(MutableBytes buffer) = 0;

  // Writes all of `parts`, in order, returning when the stream has taken them:
  // this is where backpressure is felt. At most kMaxWriteParts parts.
  [[nodiscard]] virtual Awaitable<Status> write(std::span<const Bytes> parts) = 0;
  static constexpr std::size_t kMaxWriteParts = 8;

  // Half-closes: the peer reads the end once it has read what was written before.
  // No write may be in progress or follow.
  virtual void shutdown_write() = 0;

  // Ends both directions at once, discarding what was not delivered; the peer
  // sees a reset. Pending operations return kCancelled. May be called again, and
  // never fails, whatever runs out.
  virtual void reset() noexcept = 0;
};

// A stream that was opened, and how many of the first bytes it has taken.
struct Opened {
  std::unique_ptr<ByteStream> stream;
  std::size_t written = 0;
};

// Opens streams to a port.
class StreamOpener {
 public:
  StreamOpener() = default;
  StreamOpener(const StreamOpener&) = delete;
  StreamOpener& operator=(const StreamOpener&) = delete;
  virtual ~StreamOpener() = default;

  // Connects to `port` on loopback: 127.0.0.1, and [::1] when that refuses.
  // `first` (at most ByteStream::kMaxWriteParts parts) is written as soon as can be,
  // before the connection is known to stand where the transport allows (0-RTT), and
  // must stay valid until this returns; the caller must be ready for the peer never
  // to have read it. It waits for the connection and for nothing else: what cannot be
  // taken until then is the caller's to write.
  // kRefused when nothing listens (os_error has the errno), kTimeout when
  // `deadline` passes first, kUnavailable when the guest is gone.
  [[nodiscard]] virtual Awaitable<Result<Opened>> open(Port port, std::span<const Bytes> first,
                                                       std::chrono::milliseconds deadline) = 0;
};

}  // namespace gondolin
