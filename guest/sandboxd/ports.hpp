// Which TCP ports the guest listens on, and who does.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "wire/control.hpp"

namespace gondolin::guest {

// One socket of /proc/net/tcp or tcp6 that listens.
struct ListeningSocket {
  wire::ListenAddress address{};
  std::uint16_t port = 0;
  std::uint64_t inode = 0;
};

// Reads a line of /proc/net/tcp (tcp6 with its longer addresses); nothing for the
// heading, for sockets that do not listen and for what is not such a line.
[[nodiscard]] std::optional<ListeningSocket> parse_socket_line(std::string_view line);

// The listening TCP sockets, each port and kind of address once, sorted, with one process
// that holds each.
[[nodiscard]] wire::ListeningPorts listening_ports();

}  // namespace gondolin::guest
