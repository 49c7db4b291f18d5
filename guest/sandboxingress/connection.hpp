// One stream of the ingress port and the TCP connection behind it.
//
// The connection goes to 127.0.0.1, and to [::1] at once when that refuses. Bytes
// of the stream that came early wait in the mux until it stands. Every end of one
// side becomes the same end of the other: FIN and half-close, reset and reset. What
// the server wrote is read to its end, whatever epoll says about a hang-up, before
// any end of it is honoured.
//
// The socket is watched edge-triggered, so the flags here remember what epoll said
// until a call would block; for room to write it is watched from the first time that there
// is none. A connection holds no bytes of its own.
#pragma once

#include <cstdint>

#include "base/unique_fd.hpp"
#include "guest/common/epoll.hpp"
#include "wire/mux.hpp"

namespace gondolin::guest {

class Connection {
 public:
  // What became of the connection: once it is kGone so is the stream, and the
  // object is to be destroyed.
  enum class State : std::uint8_t { kConnecting, kConnected, kGone };

  // `mux` and `epoll` outlive the connection; events of its socket are tagged with
  // the stream's id.
  Connection(wire::Mux& mux, Epoll& epoll, wire::StreamId stream, std::uint16_t port);

  // Begins to connect; accepts or refuses the stream as soon as the outcome is known,
  // which on loopback is mostly at once.
  State connect();

  State on_descriptor_event(std::uint32_t events);
  State on_stream_event(const wire::MuxEvent& event);

 private:
  // The stream has bytes, or its end, for the socket.
  State on_stream_input();
  // The stream may take more from the socket.
  State on_stream_room();
  // The host ended the stream: so does the connection, by a TCP reset.
  State on_stream_reset();

  [[nodiscard]] int begin_attempt();  // 0 or the errno of the attempt
  State check_attempt();
  State attempt_failed(int os_error);
  State established();

  // Has epoll report `events`; 0 or an errno.
  [[nodiscard]] int watch(std::uint32_t events);

  State pump();
  void socket_to_stream();
  void stream_to_socket();
  void send_without_delay();
  State end_if_over();
  State end(wire::ResetReason reason);

  wire::Mux& mux_;
  Epoll& epoll_;
  wire::StreamId stream_;
  std::uint16_t port_;
  int family_;
  UniqueFd socket_;
  State state_ = State::kConnecting;
  std::uint32_t watched_events_ = 0;
  std::uint64_t sends_ = 0;    // of bytes, tried
  bool readable_ = false;      // reading may bring something
  bool hung_up_ = false;       // the end of what the server writes is near
  bool read_ended_ = false;    // ... and was read, and passed on
  bool read_broken_ = false;   // reading failed: the server reset the connection
  bool writable_ = true;       // writing may take something
  bool write_ended_ = false;   // the stream's end was passed on
  bool write_broken_ = false;  // writing failed: the server takes no more
  bool reset_ = false;         // ... because it reset the connection
};

}  // namespace gondolin::guest
