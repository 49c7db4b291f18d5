// A virtio-serial port, seen from the guest.
//
// What Linux does with such a port shapes this interface. One read(2) gives what lies
// in one of its buffers of a page, so a short one mostly was all there is; waiting
// level-triggered then needs no second one to see that. But read(2) returns 0 while no
// host is attached, and poll then reports the port readable for ever, so for so long it
// is waited on edge-triggered. Each write(2) that the host has taken wakes whoever waits
// for the port, so room to write is waited for only after there was none.
// One write(2) of at most 32 KiB is queued whole or not at all. One process may hold the
// port open at a time, so a predecessor that is just dying makes open(2) fail with EBUSY
// for a moment.
//
// For tests a stream socket can stand in for the port; its end then counts as the
// end of the port.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/bytes.hpp"
#include "base/result.hpp"
#include "base/unique_fd.hpp"
#include "guest/common/epoll.hpp"
#include "wire/handshake.hpp"

namespace gondolin::guest {

// Opens the port that the host named `name` ("org.gondolin.ingress"), read-write,
// non-blocking and close-on-exec, waiting up to ten seconds for it to appear.
[[nodiscard]] Result<UniqueFd> open_port(std::string_view name);

// A non-blocking port, or the socket that stands in for it.
class Port {
 public:
  // Makes `fd` non-blocking.
  explicit Port(UniqueFd fd);

  // Whether a socket stands in for the port, so that this is no guest.
  [[nodiscard]] bool is_socket() const { return is_socket_; }

  // Has `epoll`, which outlives the port, watch it under `tag`.
  [[nodiscard]] Status watch(Epoll& epoll, std::uint64_t tag);
  // To be called before epoll is waited for: what blocked is what is waited for.
  [[nodiscard]] Status expect();
  // To be called on every event that epoll reports for it.
  void on_event(std::uint32_t events);

  // Whether another read or write is worth a try.
  [[nodiscard]] bool readable() const { return readable_; }
  [[nodiscard]] bool writable() const { return writable_; }

  // Reads into `space`, or writes whole frames of at most kMaxFrame bytes together.
  // Returns 0 when it would block or no host is attached. kClosed at the end of a socket.
  [[nodiscard]] Result<std::size_t> read(MutableBytes space);
  [[nodiscard]] Result<std::size_t> write(Bytes frames);

 private:
  // The error errno stands for.
  [[nodiscard]] tl::unexpected<Error> failed(const char* what) const;
  [[nodiscard]] std::uint32_t wanted_events() const;

  UniqueFd fd_;
  Epoll* epoll_ = nullptr;
  std::uint64_t tag_ = 0;
  std::uint32_t watched_events_ = 0;
  bool is_socket_ = false;
  bool attached_ = true;  // the last read did not say otherwise
  bool readable_ = true;
  bool writable_ = true;
};

// Sixteen bytes from the kernel's generator, waiting for it to be seeded when it
// is not yet.
[[nodiscard]] wire::Nonce fresh_nonce();

}  // namespace gondolin::guest
