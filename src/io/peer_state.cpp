#include "io/peer_state.hpp"

#include <arpa/inet.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>

#include "base/unique_fd.hpp"

namespace gondolin {
namespace {

struct Request {
  nlmsghdr header;
  inet_diag_req_v2 body;
};

struct Reply {
  nlmsghdr header;
  union {
    nlmsgerr error;
    inet_diag_msg socket;
  };
};

// Fills in one end of the connection; false for what is not an IP address.
bool set_end(const sockaddr_storage& from, std::uint16_t& port, std::uint32_t (&address)[4]) {
  if (from.ss_family == AF_INET) {
    sockaddr_in v4{};
    std::memcpy(&v4, &from, sizeof v4);
    port = v4.sin_port;
    address[0] = v4.sin_addr.s_addr;
    return true;
  }
  if (from.ss_family == AF_INET6) {
    sockaddr_in6 v6{};
    std::memcpy(&v6, &from, sizeof v6);
    port = v6.sin6_port;
    std::memcpy(address, &v6.sin6_addr, sizeof v6.sin6_addr);
    return true;
  }
  return false;
}

// The question for the peer's socket: its own address is our peer's, its peer's ours.
bool write_request(int socket, Request& request) {
  sockaddr_storage peer{};
  sockaddr_storage own{};
  socklen_t size = sizeof peer;
  if (::getpeername(socket, reinterpret_cast<sockaddr*>(&peer), &size) != 0) return false;
  size = sizeof own;
  if (::getsockname(socket, reinterpret_cast<sockaddr*>(&own), &size) != 0) return false;
  request.header.nlmsg_len = sizeof request;
  request.header.nlmsg_type = SOCK_DIAG_BY_FAMILY;
  request.header.nlmsg_flags = NLM_F_REQUEST;
  request.body.sdiag_family = static_cast<__u8>(peer.ss_family);
  request.body.sdiag_protocol = IPPROTO_TCP;
  request.body.idiag_states = ~0U;
  request.body.id.idiag_cookie[0] = INET_DIAG_NOCOOKIE;
  request.body.id.idiag_cookie[1] = INET_DIAG_NOCOOKIE;
  return set_end(peer, request.body.id.idiag_sport, request.body.id.idiag_src) &&
         set_end(own, request.body.id.idiag_dport, request.body.id.idiag_dst);
}

}  // namespace

PeerState peer_state(int socket) {
  Request request{};
  if (!write_request(socket, request)) return PeerState::kUnknown;
  const UniqueFd kernel(
      ::socket(AF_NETLINK, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_SOCK_DIAG));
  if (!kernel.valid()) return PeerState::kUnknown;
  if (::send(kernel.get(), &request, sizeof request, 0) != sizeof request) {
    return PeerState::kUnknown;
  }
  // The kernel has answered when send(2) returns.
  alignas(NLMSG_ALIGNTO) Reply reply{};
  const ssize_t size = ::recv(kernel.get(), &reply, sizeof reply, 0);
  if (size < static_cast<ssize_t>(sizeof reply.header)) return PeerState::kUnknown;
  if (reply.header.nlmsg_type != SOCK_DIAG_BY_FAMILY ||
      size < static_cast<ssize_t>(NLMSG_LENGTH(sizeof reply.socket))) {
    return PeerState::kUnknown;
  }
  return reply.socket.idiag_inode == 0 ? PeerState::kGone : PeerState::kOwned;
}

}  // namespace gondolin
