// The client's end of a connection: a socket whose input is read ahead, so that
// its end is noticed whatever else goes on, and whose output is written at once.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>

#include <boost/asio/ip/tcp.hpp>

#include "base/bytes.hpp"
#include "base/result.hpp"
#include "ingress/buffer.hpp"
#include "io/peer_state.hpp"
#include "io/pending_parts.hpp"
#include "io/signal.hpp"
#include "io/stream.hpp"
#include "io/tcp.hpp"

namespace gondolin::ingress {

// Belongs to one event-loop thread. Owned by shared pointers, one of which the read in
// progress has; close() or abort() ends that.
class Client : public std::enable_shared_from_this<Client> {
 public:
  enum class Input : std::uint8_t { kOpen, kEnded, kBroken };
  enum class Written : std::uint8_t { kAll, kPart, kBroken };

  static constexpr std::size_t kMostParts = 8;

  Client(asio::ip::tcp::socket socket, std::size_t buffer_limit);

  // What came and was not consumed. Its bytes stay where they are until all are
  // consumed or read_more() is called.
  [[nodiscard]] Buffer& input() { return input_; }
  // Whether the client has ended its side, or the connection broke.
  [[nodiscard]] Input state() const { return state_; }
  // Whether there is still somebody to read an answer, once the input has ended.
  [[nodiscard]] PeerState peer_state() { return gondolin::peer_state(socket_.native_handle()); }

  // Reads in the background into what room there is.
  void read_ahead();
  // The same, making room first, which may move the bytes of input(). Whether there is
  // something to wait for: then co_await input_changed(). Not if the buffer is full, or
  // the input has ended.
  [[nodiscard]] bool read_more();
  // Returns when there is more input, or its end, or at interrupt().
  [[nodiscard]] auto input_changed() { return changed_.wait(); }
  void interrupt() { changed_.notify(); }

  // `on_end` is called when the input ends or breaks, by whoever reads, and must not
  // throw; empty for nobody.
  void watch(std::function<void()> on_end) { on_end_ = std::move(on_end); }

  // Writes as much of `parts` as the socket takes; at most kMostParts parts. After
  // kPart, finish_write() must follow, and the bytes must stay until it returns.
  [[nodiscard]] Written write_now(std::span<const Bytes> parts);
  // Waits until the rest is written; kReset, or kCancelled after close().
  [[nodiscard]] Awaitable<Status> finish_write();

  void shutdown_write();
  // Ends the connection in order; what was written is still delivered.
  void close();
  // Ends it with RST: nobody may take what was sent for complete.
  void abort();
  [[nodiscard]] bool is_open() const { return socket_.is_open(); }

  // Asks the kernel to notice a peer that vanished while nothing is sent.
  void keep_alive();

  // The peer's IP address as text, IPv4 mapped into IPv6 as IPv4.
  [[nodiscard]] const std::string& address() const { return address_; }

 private:
  void on_read(const boost::system::error_code& error, std::size_t n);

  asio::ip::tcp::socket socket_;
  Buffer input_;
  Signal changed_;
  std::function<void()> on_end_;
  std::string address_;
  PendingParts<kMostParts> unsent_;
  Input state_ = Input::kOpen;
  bool reading_ = false;
};

}  // namespace gondolin::ingress
