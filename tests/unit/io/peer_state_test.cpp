#include "io/peer_state.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

#include <utility>

#include <gtest/gtest.h>

#include "base/unique_fd.hpp"

namespace gondolin {
namespace {

struct Connection {
  UniqueFd client;
  UniqueFd server;
};

template <typename Address>
Connection connect_to(Address address) {
  UniqueFd listener(::socket(reinterpret_cast<sockaddr*>(&address)->sa_family, SOCK_STREAM, 0));
  auto* any = reinterpret_cast<sockaddr*>(&address);
  socklen_t size = sizeof address;
  EXPECT_EQ(::bind(listener.get(), any, size), 0);
  EXPECT_EQ(::listen(listener.get(), 1), 0);
  EXPECT_EQ(::getsockname(listener.get(), any, &size), 0);
  UniqueFd client(::socket(any->sa_family, SOCK_STREAM, 0));
  EXPECT_EQ(::connect(client.get(), any, size), 0);
  UniqueFd server(::accept(listener.get(), nullptr, nullptr));
  return {std::move(client), std::move(server)};
}

Connection connect_v4() {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return connect_to(address);
}

Connection connect_v6() {
  sockaddr_in6 address{};
  address.sin6_family = AF_INET6;
  address.sin6_addr = in6addr_loopback;
  return connect_to(address);
}

void wait_for_end(int socket) {
  pollfd end{socket, POLLRDHUP, 0};
  ASSERT_EQ(::poll(&end, 1, 10'000), 1);
}

void expect_half_close_and_close_to_differ(Connection connection) {
  EXPECT_EQ(peer_state(connection.server.get()), PeerState::kOwned);
  ::shutdown(connection.client.get(), SHUT_WR);
  wait_for_end(connection.server.get());
  EXPECT_EQ(peer_state(connection.server.get()), PeerState::kOwned);
  connection.client.reset();
  EXPECT_EQ(peer_state(connection.server.get()), PeerState::kGone);
}

TEST(PeerState, TellsAHalfCloseFromACloseOverIpv4) {
  expect_half_close_and_close_to_differ(connect_v4());
}

TEST(PeerState, TellsAHalfCloseFromACloseOverIpv6) {
  expect_half_close_and_close_to_differ(connect_v6());
}

TEST(PeerState, IsUnknownForWhatIsNoConnection) {
  const UniqueFd unconnected(::socket(AF_INET, SOCK_STREAM, 0));
  EXPECT_EQ(peer_state(unconnected.get()), PeerState::kUnknown);
  EXPECT_EQ(peer_state(-1), PeerState::kUnknown);
}

}  // namespace
}  // namespace gondolin
