// Byte streams over TCP to this machine's loopback.
//
// Every operation is first tried as a plain system call, since most of the time it
// can be done at once; only what would block goes to the event loop.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/ip/tcp.hpp>

#include "base/bytes.hpp"
#include "io/deadline.hpp"
#include "io/stream.hpp"

namespace gondolin {

class TcpStream final : public ByteStream {
 public:
  // Whether the next read is worth a try before waiting.
  enum class Readiness : std::uint8_t { kLikely, kUnlikely };

  // `socket` must be connected.
  explicit TcpStream(asio::ip::tcp::socket socket, Readiness readiness = Readiness::kLikely);
  // Ends the connection in order, unless reset() was called.
  ~TcpStream() override = default;

  Awaitable<Result<std::size_t>> read_some(MutableBytes buffer) override;
  Awaitable<Status> write(std::span<const Bytes> parts) override;
  void shutdown_write() override;
  void reset() noexcept override;

  // There is one for each request: its memory comes from the loop's thread's cache.
  static void* operator new(std::size_t size);
  static void operator delete(void* memory, std::size_t size);

 private:
  // Nagle's algorithm, which a stream does without from its first write on.
  enum class Delays : std::uint8_t { kOn, kOff };

  asio::ip::tcp::socket socket_;
  Readiness readiness_;
  Delays delays_ = Delays::kOn;
};

// Opens streams to 127.0.0.1, and to [::1] when 127.0.0.1 refuses.
class TcpOpener final : public StreamOpener {
 public:
  explicit TcpOpener(asio::any_io_executor executor);

  Awaitable<Result<Opened>> open(Port port, std::span<const Bytes> first,
                                 std::chrono::milliseconds deadline) override;

 private:
  // Begins to connect to one address. How many bytes of `first` were taken; none if it
  // is not known yet whether the connection stands.
  static Result<std::optional<std::size_t>> connect_now(asio::ip::tcp::socket& socket,
                                                        const asio::ip::tcp::endpoint& to,
                                                        std::span<const Bytes> first);
  // Waits until that is known.
  static Awaitable<Result<std::size_t>> settle(asio::ip::tcp::socket& socket,
                                               asio::ip::tcp::endpoint to,
                                               std::span<const Bytes> first,
                                               Result<std::optional<std::size_t>> begun);
  // The rest of open(), where the first try of 127.0.0.1 did not settle everything.
  Awaitable<Result<Opened>> open_slowly(asio::ip::tcp::socket socket, asio::ip::tcp::endpoint to,
                                        std::span<const Bytes> first,
                                        Result<std::optional<std::size_t>> begun,
                                        std::chrono::milliseconds deadline);

  asio::any_io_executor executor_;
  // Shared with the calls in progress, which a dying event loop ends after us.
  std::shared_ptr<DeadlineQueue> deadlines_;
};

// What a socket call gave: how many bytes, or the error. kWouldBlock is an errno of
// EAGAIN: nothing went wrong, there is only nothing to do now.
struct SocketOutcome {
  std::size_t bytes = 0;
  int os_error = 0;  // 0: done
  [[nodiscard]] bool would_block() const;
};

// One recv(2), which never blocks. 0 bytes without an error: the peer's end.
[[nodiscard]] SocketOutcome receive_now(int socket, MutableBytes buffer);

// One sendmsg(2) of as much of `parts` as the socket takes; never blocks, never
// raises SIGPIPE. At most kMaxGather parts.
[[nodiscard]] SocketOutcome send_now(int socket, std::span<const Bytes> parts);
inline constexpr std::size_t kMaxGather = 8;

// Makes the next close of `socket` discard what is unsent and send RST.
void close_with_reset(asio::ip::tcp::socket& socket) noexcept;

// The Error for a failed socket call: kReset for a broken connection, kCancelled
// for an operation that reset() ended.
[[nodiscard]] Error stream_error(const std::string& what, int os_error);

}  // namespace gondolin
