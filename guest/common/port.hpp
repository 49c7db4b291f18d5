// A virtio-serial port, seen from the guest.
//
// What Linux does with such a port shapes this interface: read(2) returns 0 while
// no host is attached, and poll then reports it readable for ever, so it must be
// waited on edge-triggered (kPortEvents). One write(2) of at most 32 KiB is queued
// whole or not at all. One process may hold the port open at a time, so a
// predecessor that is just dying makes open(2) fail with EBUSY for a moment.
//
// For tests a stream socket can stand in for the port; its end then counts as the
// end of the port.
#pragma once

#include <sys/epoll.h>

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/bytes.hpp"
#include "base/result.hpp"
#include "base/unique_fd.hpp"
#include "wire/handshake.hpp"

namespace gondolin::guest {

inline constexpr std::uint32_t kPortEvents = EPOLLIN | EPOLLOUT | EPOLLET;

// Opens the port that the host named `name` ("org.gondolin.ingress"), read-write,
// non-blocking and close-on-exec, waiting up to ten seconds for it to appear.
[[nodiscard]] Result<UniqueFd> open_port(std::string_view name);

// A non-blocking port, or the socket that stands in for it.
class Port {
 public:
  // Makes `fd` non-blocking.
  explicit Port(UniqueFd fd);

  [[nodiscard]] int fd() const { return fd_.get(); }

  // Whether a socket stands in for the port, so that this is no guest.
  [[nodiscard]] bool is_socket() const { return is_socket_; }

  // To be called on every event epoll reports for fd(): whatever blocked before may
  // work again.
  void on_event() { readable_ = writable_ = true; }

  // Whether the last read or write did not block, so that another is worth a try.
  [[nodiscard]] bool readable() const { return readable_; }
  [[nodiscard]] bool writable() const { return writable_; }

  // Reads into `space`, or writes whole frames of at most kMaxFrame bytes together.
  // Returns 0, and the flag above is off, when it would block or no host is
  // attached. kClosed at the end of a socket.
  [[nodiscard]] Result<std::size_t> read(MutableBytes space);
  [[nodiscard]] Result<std::size_t> write(Bytes frames);

 private:
  // The error errno stands for.
  [[nodiscard]] tl::unexpected<Error> failed(const char* what) const;

  UniqueFd fd_;
  bool is_socket_ = false;
  bool readable_ = true;
  bool writable_ = true;
};

// Sixteen bytes from the kernel's generator, waiting for it to be seeded when it
// is not yet.
[[nodiscard]] wire::Nonce fresh_nonce();

}  // namespace gondolin::guest
