#include "guest/sandboxingress/server.hpp"

#include <cerrno>
#include <chrono>

#include "wire/data_frame.hpp"

namespace gondolin::guest {
namespace {

// The tag of the port; streams have theirs from 1 on.
constexpr std::uint64_t kPortTag = 0;

}  // namespace

IngressServer::IngressServer(Epoll epoll, UniqueFd port)
    : epoll_(std::move(epoll)),
      port_(
          std::move(port), wire::kDataWindow,
          [this](const wire::MuxEvent& event) { on_stream_event(event); },
          [this] { connections_.clear(); }) {}

Status IngressServer::serve() {
  if (auto added = port_.port().watch(epoll_, kPortTag); !added) return added;
  while (true) {
    auto turn = port_.turn();
    if (!turn) return tl::unexpected(turn.error());
    std::optional<std::chrono::milliseconds> limit;
    if (*turn == MuxPort::Turn::kMore) limit = std::chrono::milliseconds(0);
    auto events = epoll_.wait(limit);
    if (!events) return tl::unexpected(events.error());
    for (const auto& event : *events)
      on_socket_event(event);
  }
}

void IngressServer::on_socket_event(const epoll_event& event) {
  if (event.data.u64 == kPortTag) {
    port_.port().on_event(event.events);
    return;
  }
  // A stream may have ended since epoll looked.
  auto id = static_cast<std::uint32_t>(event.data.u64);
  auto found = connections_.find(id);
  if (found != connections_.end()) forget_if_gone(id, found->second.on_socket_event(event.events));
}

void IngressServer::on_stream_event(const wire::MuxEvent& event) {
  if (event.kind == wire::MuxEvent::Kind::kOpen) return open(event);
  auto id = static_cast<std::uint32_t>(event.stream);
  Connection& connection = connections_.at(id);
  switch (event.kind) {
    case wire::MuxEvent::Kind::kReadable:
    case wire::MuxEvent::Kind::kEnd:
      return forget_if_gone(id, connection.on_stream_input());
    case wire::MuxEvent::Kind::kWritable:
      return forget_if_gone(id, connection.on_stream_room());
    case wire::MuxEvent::Kind::kReset:
      return forget_if_gone(id, connection.on_stream_reset());
    default:
      return;
  }
}

// The target of a stream is a port, two bytes.
void IngressServer::open(const wire::MuxEvent& event) {
  std::uint16_t port = 0;
  if (event.target.size() == 2) {
    port = static_cast<std::uint16_t>(std::to_integer<unsigned>(event.target[0]) |
                                      std::to_integer<unsigned>(event.target[1]) << 8);
  }
  if (port == 0) return port_.mux().refuse(event.stream, EINVAL);
  auto id = static_cast<std::uint32_t>(event.stream);
  auto [added, fresh] = connections_.try_emplace(id, port_.mux(), epoll_, event.stream, port);
  forget_if_gone(id, added->second.connect());
}

void IngressServer::forget_if_gone(std::uint32_t stream, Connection::State state) {
  if (state == Connection::State::kGone) connections_.erase(stream);
}

}  // namespace gondolin::guest
