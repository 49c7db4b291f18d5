// What the load generator and the backend share: non-blocking sockets, one epoll.
//
// For measuring only: whatever fails here ends the program with a sentence.
#pragma once

#include <sys/epoll.h>

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "base/unique_fd.hpp"

namespace gondolin::bench {

// "what: why" on stderr, exit status 1.
[[noreturn]] void give_up(const std::string& what);

// An IPv4 address with port.
struct Endpoint {
  std::uint32_t address;  // host byte order
  std::uint16_t port;
};
// "127.0.0.1:80"; gives up on anything else.
[[nodiscard]] Endpoint parse_endpoint(std::string_view text);

// A listening socket; reports on its endpoint are the caller's.
[[nodiscard]] UniqueFd listen_on(Endpoint endpoint);
[[nodiscard]] std::uint16_t bound_port(int socket);
// A connection that may still be under way.
[[nodiscard]] UniqueFd start_connect(Endpoint endpoint);

// One recv or send: bytes, 0 for the peer's end, or one of these.
inline constexpr std::ptrdiff_t kWouldBlock = -1;
inline constexpr std::ptrdiff_t kBroken = -2;
[[nodiscard]] std::ptrdiff_t receive(int socket, std::span<char> buffer);
[[nodiscard]] std::ptrdiff_t send(int socket, std::string_view bytes);

// Edge-triggered interest in everything, once for each descriptor.
class Epoll {
 public:
  Epoll();
  void add(int fd, void* owner);
  // The events that came; waits at most `timeout_ms`, -1 for ever.
  [[nodiscard]] std::span<const epoll_event> wait(int timeout_ms);

 private:
  UniqueFd fd_;
  epoll_event events_[256];
};

// The number after `name` in a head, where each line ends in CRLF; -1 if there is none.
[[nodiscard]] std::int64_t field_number(std::string_view head, std::string_view name);
[[nodiscard]] bool has_field(std::string_view head, std::string_view name, std::string_view value);

}  // namespace gondolin::bench
