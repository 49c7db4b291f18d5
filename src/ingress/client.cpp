#include "ingress/client.hpp"

#include <utility>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/deferred.hpp>

namespace gondolin::ingress {

using asio::ip::tcp;

namespace {

constexpr auto kAwaited = asio::as_tuple(asio::deferred);

std::string address_text(const tcp::socket& socket) {
  boost::system::error_code error;
  tcp::endpoint peer = socket.remote_endpoint(error);
  if (error) return "unknown";
  asio::ip::address address = peer.address();
  if (address.is_v6() && address.to_v6().is_v4_mapped()) {
    address = asio::ip::make_address_v4(asio::ip::v4_mapped, address.to_v6());
  }
  return address.to_string();
}

}  // namespace

Client::Client(tcp::socket socket, std::size_t buffer_limit)
    : socket_(std::move(socket)),
      input_(buffer_limit),
      changed_(socket_.get_executor()),
      address_(address_text(socket_)) {
  boost::system::error_code ignored;
  socket_.set_option(tcp::no_delay(true), ignored);
}

void Client::read_ahead() {
  if (reading_ || state_ != Input::kOpen || !socket_.is_open()) return;
  if (input_.empty()) input_.make_room();
  MutableBytes room = input_.room();
  if (room.empty()) return;
  socket_.async_read_some(asio::buffer(room.data(), room.size()),
                          [self = shared_from_this()](const boost::system::error_code& error,
                                                      std::size_t n) { self->on_read(error, n); });
  reading_ = true;
}

void Client::on_read(const boost::system::error_code& error, std::size_t n) {
  reading_ = false;
  input_.commit(n);
  if (error) {
    state_ = error == asio::error::eof ? Input::kEnded : Input::kBroken;
    if (on_end_) on_end_();
  }
  changed_.resume();
}

bool Client::read_more() {
  if (!reading_) input_.make_room();
  read_ahead();
  return reading_;
}

Client::Written Client::write_now(std::span<const Bytes> parts) {
  SocketOutcome sent = send_now(socket_.native_handle(), parts);
  if (sent.os_error != 0 && !sent.would_block()) return Written::kBroken;
  unsent_ = PendingParts<kMostParts>(parts);
  unsent_.advance(sent.bytes);
  return unsent_.done() ? Written::kAll : Written::kPart;
}

Awaitable<Status> Client::finish_write() {
  while (!unsent_.done()) {
    auto [error] = co_await socket_.async_wait(tcp::socket::wait_write, kAwaited);
    if (error) co_return tl::unexpected(stream_error("write", error.value()));
    SocketOutcome sent = send_now(socket_.native_handle(), unsent_.get());
    if (sent.os_error != 0 && !sent.would_block()) {
      co_return tl::unexpected(stream_error("write", sent.os_error));
    }
    unsent_.advance(sent.bytes);
  }
  co_return Status{};
}

void Client::shutdown_write() {
  boost::system::error_code ignored;
  socket_.shutdown(tcp::socket::shutdown_send, ignored);
}

void Client::close() {
  boost::system::error_code ignored;
  socket_.close(ignored);
}

void Client::abort() {
  close_with_reset(socket_);
}

void Client::keep_alive() {
  boost::system::error_code ignored;
  socket_.set_option(asio::socket_base::keep_alive(true), ignored);
}

}  // namespace gondolin::ingress
