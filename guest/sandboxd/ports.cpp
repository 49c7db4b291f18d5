#include "guest/sandboxd/ports.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <filesystem>
#include <fstream>
#include <map>
#include <tuple>
#include <unordered_map>
#include <vector>

#include "base/parse_number.hpp"

namespace gondolin::guest {
namespace {

namespace fs = std::filesystem;
using wire::ListenAddress;

constexpr std::string_view kStateListen = "0A";
constexpr std::size_t kHex4 = 8;   // digits of an IPv4 address
constexpr std::size_t kHex6 = 32;  // ... of an IPv6 address
constexpr std::string_view kSocketLink = "socket:[";

// The addresses are the bytes in memory order, printed as 32-bit host integers: on a
// little-endian machine 127.0.0.1 is 0100007F.
std::optional<ListenAddress> classify(std::string_view hex) {
  if (hex.size() == kHex4) {
    if (hex == "00000000") return ListenAddress::kAny4;
    return hex.ends_with("7F") ? ListenAddress::kLoopback4 : ListenAddress::kOther4;
  }
  if (hex.size() != kHex6) return std::nullopt;
  if (hex.find_first_not_of('0') == std::string_view::npos) return ListenAddress::kAny6;
  if (hex == "00000000000000000000000001000000") return ListenAddress::kLoopback6;
  // ::ffff:127.0.0.0/8, an IPv4 address on an IPv6 socket.
  if (hex.starts_with("0000000000000000FFFF0000")) return classify(hex.substr(kHex6 - kHex4));
  return ListenAddress::kOther6;
}

std::string_view next_field(std::string_view& line) {
  line.remove_prefix(std::min(line.find_first_not_of(' '), line.size()));
  std::string_view field = line.substr(0, line.find(' '));
  line.remove_prefix(field.size());
  return field;
}

std::optional<std::uint16_t> parse_hex_port(std::string_view text) {
  std::uint16_t port = 0;
  const char* end = text.data() + text.size();
  auto [rest, error] = std::from_chars(text.data(), end, port, 16);
  if (error != std::errc{} || rest != end || port == 0) return std::nullopt;
  return port;
}

std::vector<ListeningSocket> listening_sockets() {
  std::vector<ListeningSocket> sockets;
  for (const char* path : {"/proc/net/tcp", "/proc/net/tcp6"}) {
    std::ifstream file(path);
    for (std::string line; std::getline(file, line);) {
      if (auto socket = parse_socket_line(line)) sockets.push_back(*socket);
    }
  }
  return sockets;
}

struct Holder {
  std::uint32_t pid = 0;
  std::string name;
};

// Adds the process to the holders of every socket in `wanted` that it has open. A
// process that ends meanwhile, or may not be looked at, is passed over.
void find_sockets(const fs::path& process, std::uint32_t pid,
                  std::unordered_map<std::uint64_t, Holder>& wanted) {
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(process / "fd", error)) {
    std::string link = fs::read_symlink(entry.path(), error).string();
    if (error || !link.starts_with(kSocketLink) || link.back() != ']') continue;
    std::string_view number = std::string_view(link).substr(kSocketLink.size());
    auto inode = parse_decimal(number.substr(0, number.size() - 1));
    auto found = inode ? wanted.find(*inode) : wanted.end();
    if (found == wanted.end() || found->second.pid != 0) continue;
    std::ifstream comm(process / "comm");
    std::getline(comm, found->second.name);
    found->second.pid = pid;
  }
}

void find_holders(std::unordered_map<std::uint64_t, Holder>& wanted) {
  std::error_code error;
  for (const auto& entry : fs::directory_iterator("/proc", error)) {
    auto pid = parse_decimal<std::uint32_t>(entry.path().filename().string());
    if (pid) find_sockets(entry.path(), *pid, wanted);
  }
}

}  // namespace

// "  0: 0100007F:1F40 00000000:0000 0A 00000000:00000000 00:00000000 00000000  0  0 INODE …"
std::optional<ListeningSocket> parse_socket_line(std::string_view line) {
  next_field(line);
  std::string_view local = next_field(line);
  next_field(line);
  if (next_field(line) != kStateListen) return std::nullopt;
  for (int skipped = 0; skipped < 5; ++skipped)
    next_field(line);
  auto inode = parse_decimal(next_field(line));
  std::size_t colon = local.find(':');
  if (!inode || colon == std::string_view::npos) return std::nullopt;
  auto address = classify(local.substr(0, colon));
  auto port = parse_hex_port(local.substr(colon + 1));
  if (!address || !port) return std::nullopt;
  return ListeningSocket{.address = *address, .port = *port, .inode = *inode};
}

wire::ListeningPorts listening_ports() {
  auto sockets = listening_sockets();
  std::unordered_map<std::uint64_t, Holder> holders;
  for (const auto& socket : sockets)
    holders.try_emplace(socket.inode);
  if (!holders.empty()) find_holders(holders);
  std::map<std::tuple<std::uint16_t, ListenAddress>, wire::ListeningPort> ports;
  for (const auto& socket : sockets) {
    const Holder& holder = holders.at(socket.inode);
    ports.try_emplace({socket.port, socket.address}, wire::ListeningPort{.port = socket.port,
                                                                         .address = socket.address,
                                                                         .pid = holder.pid,
                                                                         .process = holder.name});
  }
  wire::ListeningPorts list;
  for (auto& [key, port] : ports)
    list.ports.push_back(std::move(port));
  return list;
}

}  // namespace gondolin::guest
