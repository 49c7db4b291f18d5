// A server on a thread of its own for tests whose gateway may break off at any byte: one
// connection after the other, each with one request, and no connection for ever.
#pragma once

#include <sys/socket.h>
#include <sys/time.h>

#include <algorithm>
#include <atomic>
#include <string>
#include <string_view>
#include <thread>

#include "unit/ingress/wire.hpp"

namespace gondolin::ingress::testing {

// Answers by path: /large is a megabyte; a WebSocket gets back what it says, till its end; anything
// else how many x its body has. Its memory is its own thread's.
class OneShotBackend {
 public:
  static constexpr std::size_t kLarge = 1'000'000;

  explicit OneShotBackend(Backend& listener) : listener_(listener), thread_([this] { serve(); }) {}
  ~OneShotBackend() {
    over_ = true;
    Peer::connect(listener_.port());
    thread_.join();
  }
  OneShotBackend(const OneShotBackend&) = delete;
  OneShotBackend& operator=(const OneShotBackend&) = delete;

 private:
  void serve() {
    for (;;) {
      UniqueFd connection(::accept4(listener_.fd(), nullptr, nullptr, SOCK_CLOEXEC));
      if (over_) return;
      const timeval patience{.tv_sec = kPatienceMs / 1000, .tv_usec = 0};
      ::setsockopt(connection.get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
      ::setsockopt(connection.get(), SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
      input_.clear();
      answer(Peer(std::move(connection)));
    }
  }

  void answer(Peer peer) {
    if (!receive_until(peer, "\r\n\r\n")) return;
    const std::size_t head_size = input_.find("\r\n\r\n") + 4;
    const std::string head = input_.substr(0, head_size);
    input_.erase(0, head_size);
    if (head.find("Upgrade: websocket") != std::string::npos) return echo(peer);
    if (head.find("100-continue") != std::string::npos) {
      peer.send("HTTP/1.1 100 Continue\r\n\r\n");
    }
    if (head.find("Transfer-Encoding: chunked") != std::string::npos) {
      if (!receive_until(peer, "0\r\n\r\n")) return;
    } else if (std::size_t at = head.find("Content-Length: "); at != std::string::npos) {
      const std::size_t size = std::stoul(head.substr(at + 16));
      while (input_.size() < size)
        if (!receive(peer)) return;
    }
    if (head.starts_with("GET /large")) return send_large(peer);
    const std::string body = std::to_string(std::ranges::count(input_, 'x'));
    peer.send("HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" +
              body);
  }

  void send_large(Peer& peer) {
    peer.send("HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(kLarge) + "\r\n\r\n" +
              std::string(kLarge, 'x'));
  }

  void echo(Peer& peer) {
    peer.send(
        "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
        "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n");
    do {
      peer.send(input_);
      input_.clear();
    } while (receive(peer));
    peer.shutdown_write();
  }

  bool receive_until(Peer& peer, std::string_view end) {
    while (input_.find(end) == std::string::npos)
      if (!receive(peer)) return false;
    return true;
  }

  bool receive(Peer& peer) {
    char buffer[16 * 1024];
    const ssize_t n = ::recv(peer.fd(), buffer, sizeof buffer, 0);
    if (n > 0) input_.append(buffer, static_cast<std::size_t>(n));
    return n > 0;
  }

  Backend& listener_;
  std::string input_;
  std::atomic<bool> over_ = false;
  std::thread thread_;
};

}  // namespace gondolin::ingress::testing
