// WebSockets: after the backend's 101 the gateway carries bytes, whatever they are.
//
// Bytes that either side sent early lie in the buffers already. A half-close passes
// as a half-close, a reset ends both ends, and silence ends nothing.

#include <array>

#include <boost/asio/co_spawn.hpp>
#include <fmt/format.h>

#include "ingress/exchange.hpp"
#include "ingress/upload.hpp"
#include "io/spawn.hpp"

namespace gondolin::ingress {

Awaitable<After> Exchange::tunnel(const http::ResponseHead& head) {
  half_closed_deadline_.disarm();
  client_.watch({});
  client_.keep_alive();
  begun_ = true;
  std::string_view text = write_response_head(writer_, head, {}, ConnectionNote::kUpgrade, {});
  response_.consume(head.size);
  if (core_.logs()) {
    core_.log(connection_, fmt::format("101, tunnel to :{}", static_cast<std::uint16_t>(port_)));
  }
  std::array parts{as_bytes(text), as_bytes(response_.view())};
  if (!co_await send(parts)) co_return After::kAbort;
  response_.consume(response_.size());

  asio::co_spawn(core_.parts.executor, tunnel_up(Upload(*this)), LeaveLoop());
  const bool in_order = co_await tunnel_down();
  if (!in_order) client_.abort();
  while (uploading_)
    co_await upload_ended_.wait();
  if (core_.logs()) {
    core_.log(connection_,
              in_order && failure_ == Failure::kNone ? "tunnel ended" : "tunnel broke off");
  }
  co_return in_order&& failure_ == Failure::kNone ? After::kClose : After::kAbort;
}

// From the backend to the client. False if an end broke.
Awaitable<bool> Exchange::tunnel_down() {
  for (;;) {
    auto n = co_await read_backend();
    response_.commit(n.value_or(0));
    if (!n) co_return false;
    if (*n == 0) break;
    std::array parts{as_bytes(response_.view())};
    switch (client_.write_now(parts)) {
      case Client::Written::kAll:
        break;
      case Client::Written::kPart:
        if (!co_await client_.finish_write()) co_return false;
        break;
      case Client::Written::kBroken:
        co_return false;
    }
    response_.consume(response_.size());
  }
  client_.shutdown_write();
  co_return true;
}

// From the client to the backend.
Awaitable<void> Exchange::tunnel_up(Upload running) {
  Buffer& input = client_.input();
  for (;;) {
    if (!input.empty()) {
      const std::size_t size = input.size();
      std::array parts{as_bytes(input.view())};
      client_.read_ahead();
      // A backend that takes no more may still have something to say: its reader
      // finds out how it ends.
      if (!co_await backend_->write(parts)) break;
      input.consume(size);
      continue;
    }
    switch (client_.state()) {
      case Client::Input::kOpen:
        break;
      case Client::Input::kEnded:
        backend_->shutdown_write();
        co_return running.in_order();
      case Client::Input::kBroken:
        fail(Failure::kClientGone);
        co_return running.in_order();
    }
    if (client_.read_more()) co_await client_.input_changed();
  }
  running.in_order();
}

}  // namespace gondolin::ingress
