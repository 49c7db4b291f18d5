#include "load/connection.hpp"

#include <algorithm>
#include <array>
#include <thread>

namespace gondolin::bench {

namespace {

constexpr std::size_t kBlock = 64 * 1024;
const std::string kUpload(kBlock, 'u');
std::array<char, 4 * kBlock> g_scratch;  // one thread reads into it

std::string request_head(const Options& options) {
  std::string head = (options.upload > 0 ? "POST " : "GET ") + options.path +
                     " HTTP/1.1\r\nHost: localhost\r\nUser-Agent: bench-load\r\nAccept: */*\r\n";
  if (options.upload > 0) head += "Content-Length: " + std::to_string(options.upload) + "\r\n";
  if (options.mode != Options::Mode::kRequests) {
    head +=
        "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
  } else if (options.reuse == Options::Reuse::kClose) {
    head += "Connection: close\r\n";
  }
  return head + "\r\n";
}

}  // namespace

Run::Run(const Options& o) : options(o), request(request_head(o)), end(Clock::now() + o.duration) {}

bool Run::may_begin() {
  if (options.requests > 0 ? begun >= options.requests : Clock::now() >= end) return false;
  ++begun;
  return true;
}

Connection::Connection(Run& run) : run_(run) {
  ++run_.active;
  connect();
  begin();
}

void Connection::connect() {
  socket_ = start_connect(run_.options.to);
  run_.epoll.add(socket_.get(), this);
}

void Connection::begin() {
  if (!run_.may_begin()) return finish();
  state_ = State::kRequest;
  began_ = Run::Clock::now();
  if (!socket_.valid()) connect();
  reader_.reset(run_.options.mode == Options::Mode::kRequests ? 200 : 101);
  head_left_ = run_.request;
  upload_left_ = run_.options.upload;
  send_pending();
}

void Connection::advance() {
  if (state_ == State::kDone) return;
  send_pending();
  if (state_ == State::kRequest) receive_response();
  if (state_ == State::kTunnel) receive_tunnel();
}

// The head, then the upload or the message.
void Connection::send_pending() {
  while (!head_left_.empty() || upload_left_ > 0) {
    const bool in_head = !head_left_.empty();
    const std::string_view piece = in_head ? head_left_
                                           : std::string_view(kUpload).substr(
                                                 0, std::min<std::uint64_t>(upload_left_, kBlock));
    const std::ptrdiff_t n = send(socket_.get(), piece);
    if (n == kWouldBlock) return;
    if (n < 0) return;  // the reader finds out what was answered
    if (in_head) {
      head_left_.remove_prefix(static_cast<std::size_t>(n));
    } else {
      upload_left_ -= static_cast<std::uint64_t>(n);
    }
  }
}

void Connection::receive_response() {
  while (state_ == State::kRequest) {
    const std::ptrdiff_t n = receive(socket_.get(), g_scratch);
    if (n == kWouldBlock) return;
    if (n <= 0) return fail("the connection ended inside a response");
    const std::string_view bytes(g_scratch.data(), static_cast<std::size_t>(n));
    run_.bytes += bytes.size();
    if (run_.options.read_pause.count() > 0) std::this_thread::sleep_for(run_.options.read_pause);
    switch (reader_.take(bytes)) {
      case ResponseReader::State::kMore:
        break;
      case ResponseReader::State::kFailed:
        return fail(reader_.head());
      case ResponseReader::State::kComplete:
        return response_complete();
    }
  }
}

void Connection::response_complete() {
  if (run_.options.mode != Options::Mode::kRequests) {
    state_ = State::kTunnel;
    return begin_message();
  }
  const auto took = Run::Clock::now() - began_;
  run_.latencies.add(static_cast<std::uint64_t>(std::chrono::nanoseconds(took).count()));
  run_.bytes += run_.options.upload;
  if (!reader_.keeps_alive() || run_.options.reuse == Options::Reuse::kClose) socket_.reset();
  begin();
}

// As many bytes as a message has; to a gateway a tunnel is bytes, and the backend echoes
// them as they are.
void Connection::begin_message() {
  if (!run_.may_begin()) return finish();
  began_ = Run::Clock::now();
  upload_left_ = run_.options.message;
  echo_due_ = run_.options.message;
  send_pending();
}

void Connection::receive_tunnel() {
  while (state_ == State::kTunnel) {
    const std::ptrdiff_t n = receive(socket_.get(), g_scratch);
    if (n == kWouldBlock) return;
    if (n <= 0) return fail("the tunnel ended");
    const auto size = static_cast<std::uint64_t>(n);
    run_.bytes += size;
    if (size > echo_due_) return fail("more came back than was sent");
    echo_due_ -= size;
    if (run_.options.mode == Options::Mode::kStream && Run::Clock::now() < run_.end) {
      upload_left_ += size;
      echo_due_ += size;
      send_pending();
    }
    if (echo_due_ > 0) continue;
    const auto took = Run::Clock::now() - began_;
    run_.latencies.add(static_cast<std::uint64_t>(std::chrono::nanoseconds(took).count()));
    begin_message();
  }
}

void Connection::fail(std::string_view why) {
  ++run_.errors;
  if (run_.first_error.empty()) run_.first_error = why;
  socket_.reset();
  finish();
}

// The socket stays open until the end of the program.
void Connection::finish() {
  if (state_ == State::kDone) return;
  state_ = State::kDone;
  --run_.active;
}

}  // namespace gondolin::bench
