// bench-backend: the server behind every gateway that scripts/bench measures.
//
//   bench-backend ADDRESS:PORT     prints the port it listens on, serves until killed
//
//   GET /bytes/N      N bytes with Content-Length      POST anything   reads the body, then 6 bytes
//   GET /chunked/N    N bytes in chunks of 64 KiB      Upgrade         101, then an echo
//   GET anything      6 bytes                          POST /slow      the same, at most 256 MiB/s
//
// One exchange a connection, which it closes, as a backend does that is told
// "Connection: close". One thread, one epoll, edge-triggered. It is static, so that
// the same file runs inside the guest. It trusts its clients.

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <thread>

#include "base/parse_number.hpp"
#include "common/sockets.hpp"

namespace gondolin::bench {
namespace {

constexpr std::size_t kBlock = 64 * 1024;
constexpr std::chrono::milliseconds kSlowPause{1};  // after each read of up to 256 KiB
constexpr std::string_view kTinyBody = "hello\n";
// RFC 6455 1.3: the key that bench-load sends has this answer.
constexpr std::string_view kSwitching =
    "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";

std::string tiny_response() {
  return "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 6\r\nConnection: "
         "close\r\n\r\n" +
         std::string(kTinyBody);
}

class Exchange {
 public:
  explicit Exchange(UniqueFd socket) : socket_(std::move(socket)) {}
  [[nodiscard]] int fd() const { return socket_.get(); }

  // Goes as far as it can; false when the connection is done with.
  bool advance();

 private:
  enum class State : std::uint8_t { kHead, kUpload, kSend, kEcho };

  bool read_head();
  bool read_upload(std::string_view bytes);
  void begin_response(std::string_view path);
  bool send_response();
  bool echo();
  [[nodiscard]] std::optional<std::ptrdiff_t> send_piece();
  // The next piece of the body.
  void refill();

  UniqueFd socket_;
  State state_ = State::kHead;
  std::string head_;
  std::int64_t upload_left_ = 0;  // -1: chunked, until its last chunk
  std::string tail_;              // the last bytes of a chunked upload
  std::string pending_;           // the memory of piece_ where it is not shared
  std::string_view piece_;        // being sent
  std::size_t sent_ = 0;          // of piece_
  std::uint64_t body_left_ = 0;
  bool chunked_ = false;
  bool slow_ = false;
};

std::array<char, 4 * kBlock> g_buffer_storage;  // one thread reads into it

std::span<char> scratch() {
  return g_buffer_storage;
}

bool Exchange::advance() {
  if (state_ == State::kHead && !read_head()) return false;
  while (state_ == State::kUpload) {
    const std::ptrdiff_t n = receive(fd(), scratch());
    if (n == kWouldBlock) return true;
    if (n <= 0) return false;
    if (slow_) std::this_thread::sleep_for(kSlowPause);
    if (!read_upload({scratch().data(), static_cast<std::size_t>(n)})) return false;
  }
  if (state_ == State::kSend) return send_response();
  if (state_ == State::kEcho) return echo();
  return true;
}

bool Exchange::read_head() {
  for (;;) {
    const std::ptrdiff_t n = receive(fd(), scratch());
    if (n == kWouldBlock) return true;
    if (n <= 0) return false;
    head_.append(scratch().data(), static_cast<std::size_t>(n));
    const std::size_t end = head_.find("\r\n\r\n");
    if (end == std::string::npos) continue;
    const std::string rest = head_.substr(end + 4);
    head_.resize(end + 2);
    if (has_field(head_, "Upgrade", "websocket")) {
      pending_ = kSwitching;
      pending_ += rest;
      piece_ = pending_;
      state_ = State::kEcho;
      return true;
    }
    upload_left_ = has_field(head_, "Transfer-Encoding", "chunked")
                       ? -1
                       : std::max<std::int64_t>(field_number(head_, "Content-Length"), 0);
    slow_ = head_.starts_with("POST /slow ");
    state_ = State::kUpload;
    return read_upload(rest);
  }
}

bool Exchange::read_upload(std::string_view bytes) {
  if (upload_left_ < 0) {
    constexpr std::string_view kEnd = "\r\n0\r\n\r\n";
    tail_.append(bytes.substr(bytes.size() - std::min(bytes.size(), kEnd.size())));
    tail_.erase(0, tail_.size() - std::min(tail_.size(), kEnd.size()));
    if (tail_ != kEnd) return true;
  } else {
    upload_left_ -= static_cast<std::int64_t>(bytes.size());
    if (upload_left_ > 0) return true;
    if (upload_left_ < 0) return false;
  }
  std::string_view path = head_;
  path.remove_prefix(path.find(' ') + 1);
  begin_response(path.substr(0, path.find_first_of(" ?")));
  return true;
}

void Exchange::begin_response(std::string_view path) {
  state_ = State::kSend;
  constexpr std::string_view kBytes = "/bytes/";
  constexpr std::string_view kChunked = "/chunked/";
  chunked_ = path.starts_with(kChunked);
  if (chunked_ || path.starts_with(kBytes)) {
    const auto size = parse_decimal(path.substr(chunked_ ? kChunked.size() : kBytes.size()));
    body_left_ = size.value_or(0);
    pending_ = "HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream\r\nConnection: close\r\n";
    pending_ += chunked_ ? "Transfer-Encoding: chunked\r\n\r\n"
                         : "Content-Length: " + std::to_string(body_left_) + "\r\n\r\n";
    piece_ = pending_;
    return;
  }
  static const std::string tiny = tiny_response();
  piece_ = tiny;
}

std::string framed(std::size_t size) {
  std::array<char, 16> line{};
  std::snprintf(line.data(), line.size(), "%zx\r\n", size);
  return line.data() + std::string(size, 'x') + "\r\n";
}

void Exchange::refill() {
  static const std::string block(kBlock, 'x');
  static const std::string chunk = framed(kBlock);
  const auto size = static_cast<std::size_t>(std::min<std::uint64_t>(body_left_, kBlock));
  body_left_ -= size;
  sent_ = 0;
  if (!chunked_) {
    piece_ = std::string_view(block).substr(0, size);
  } else if (body_left_ > 0) {
    piece_ = chunk;
  } else {
    pending_ = framed(size) + "0\r\n\r\n";
    piece_ = pending_;
  }
}

// Sends what is left of piece_. Nothing: it has gone; kWouldBlock, kBroken otherwise.
std::optional<std::ptrdiff_t> Exchange::send_piece() {
  while (sent_ < piece_.size()) {
    const std::ptrdiff_t n = send(fd(), piece_.substr(sent_));
    if (n < 0) return n;
    sent_ += static_cast<std::size_t>(n);
  }
  return std::nullopt;
}

bool Exchange::send_response() {
  for (;;) {
    if (const auto stopped = send_piece()) return *stopped == kWouldBlock;
    if (body_left_ == 0) return false;
    refill();
  }
}

bool Exchange::echo() {
  for (;;) {
    if (const auto stopped = send_piece()) return *stopped == kWouldBlock;
    sent_ = 0;
    piece_ = {};
    const std::ptrdiff_t n = receive(fd(), scratch());
    if (n == kWouldBlock) return true;
    if (n <= 0) return false;
    pending_.assign(scratch().data(), static_cast<std::size_t>(n));
    piece_ = pending_;
  }
}

void accept_all(Epoll& epoll, int listener) {
  for (;;) {
    UniqueFd socket(::accept4(listener, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
    if (!socket.valid()) return;
    const int on = 1;
    ::setsockopt(socket.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    auto exchange = std::make_unique<Exchange>(std::move(socket));
    // Most requests are there already, and most of those are answered at once.
    if (!exchange->advance()) continue;
    epoll.add(exchange->fd(), exchange.get());
    static_cast<void>(exchange.release());  // deleted when advance() says that it is done
  }
}

[[noreturn]] void serve(Endpoint endpoint) {
  UniqueFd listener = listen_on(endpoint);
  std::printf("%u\n", bound_port(listener.get()));
  std::fflush(stdout);
  Epoll epoll;
  epoll.add(listener.get(), nullptr);
  for (;;) {
    for (const epoll_event& event : epoll.wait(-1)) {
      if (event.data.ptr == nullptr) {
        accept_all(epoll, listener.get());
        continue;
      }
      std::unique_ptr<Exchange> exchange(static_cast<Exchange*>(event.data.ptr));
      if (exchange->advance()) static_cast<void>(exchange.release());
    }
  }
}

}  // namespace
}  // namespace gondolin::bench

int main(int argc, char** argv) {
  if (argc != 2) gondolin::bench::give_up("usage: bench-backend ADDRESS:PORT");
  ::signal(SIGPIPE, SIG_IGN);
  gondolin::bench::serve(gondolin::bench::parse_endpoint(argv[1]));
}
