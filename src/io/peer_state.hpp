// Whether the other end of a connection on this machine still has an owner.
//
// A FIN says only that the peer sends no more: it may have half-closed and wait for
// its answer (`printf … | nc -N`), or be gone. TCP cannot tell, but where both ends
// are this machine's, the kernel can: a socket that was closed belongs to nobody.
// Asked of it with sock_diag(7).
#pragma once

#include <cstdint>

namespace gondolin {

enum class PeerState : std::uint8_t {
  kOwned,    // a process still holds the socket
  kGone,     // it was closed
  kUnknown,  // not of this machine, or the kernel does not say
};

// `socket` is a connected TCP socket. Does not block; a few system calls.
[[nodiscard]] PeerState peer_state(int socket);

}  // namespace gondolin
