#include "guest/sandboxmounts/server.hpp"

#include <cerrno>
#include <chrono>
#include <optional>

#include "wire/mounts.hpp"

namespace gondolin::guest {
namespace {

// Bytes buffered for a mount in each direction, beside one message.
constexpr std::uint32_t kWindow = 128 * 1024;

// The tag of the port; streams have theirs from 1 on.
constexpr std::uint64_t kPortTag = 0;

}  // namespace

MountsServer::MountsServer(Epoll epoll, UniqueFd port)
    : epoll_(std::move(epoll)),
      port_(
          std::move(port), kWindow, [this](const wire::MuxEvent& event) { on_stream_event(event); },
          [this] { mounts_.clear(); }) {}

Status MountsServer::serve() {
  if (auto added = port_.port().watch(epoll_, kPortTag); !added) return added;
  while (true) {
    auto turn = port_.turn();
    if (!turn) return tl::unexpected(turn.error());
    std::optional<std::chrono::milliseconds> limit;
    if (*turn == MuxPort::Turn::kMore) limit = std::chrono::milliseconds(0);
    auto events = epoll_.wait(limit);
    if (!events) return tl::unexpected(events.error());
    for (const auto& event : *events)
      on_descriptor_event(event);
  }
}

void MountsServer::on_descriptor_event(const epoll_event& event) {
  if (event.data.u64 == kPortTag) return port_.port().on_event(event.events);
  // A mount may have ended since epoll looked.
  const auto id = static_cast<std::uint32_t>(event.data.u64);
  auto found = mounts_.find(id);
  if (found != mounts_.end()) forget_if_gone(id, found->second->on_descriptor_event());
}

void MountsServer::on_stream_event(const wire::MuxEvent& event) {
  if (event.kind == wire::MuxEvent::Kind::kOpen) return open(event);
  const auto id = static_cast<std::uint32_t>(event.stream);
  forget_if_gone(id, mounts_.at(id)->on_stream_event(event));
}

void MountsServer::open(const wire::MuxEvent& event) {
  auto target = wire::decode_mount_target(event.target);
  if (!target) return port_.mux().refuse(event.stream, EPROTO);
  auto started = Mount::start(*target);
  if (!started) {
    return port_.mux().refuse(event.stream, static_cast<std::uint32_t>(started.error().os_error));
  }
  const auto id = static_cast<std::uint32_t>(event.stream);
  if (!epoll_.add(started->pidfd.get(), EPOLLIN, id)) return port_.mux().refuse(event.stream, EIO);
  mounts_.emplace(id,
                  std::make_unique<Mount>(port_.mux(), epoll_, event.stream, std::move(*started)));
}

void MountsServer::forget_if_gone(std::uint32_t stream, Mount::State state) {
  if (state == Mount::State::kGone) mounts_.erase(stream);
}

}  // namespace gondolin::guest
