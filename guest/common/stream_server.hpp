// A server of a port's streams: for each open one there is an object that carries it, which may
// have a descriptor in the epoll set, tagged with the stream's id.
//
// One thread. A turn of the loop handles all descriptors that have events, then the port, so
// that what they gave leaves in few writes.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <unordered_map>
#include <utility>

#include "base/result.hpp"
#include "base/unique_fd.hpp"
#include "guest/common/eager_wait.hpp"
#include "guest/common/epoll.hpp"
#include "guest/common/mux_port.hpp"

namespace gondolin::guest {

// `Carrier` has on_descriptor_event(events) and on_stream_event(event), which say what has become
// of it: State::kGone when its stream is gone and it is to be destroyed.
template <typename Carrier>
class StreamServer {
 public:
  // `window`: the bytes buffered for a stream in each direction, whatever its peers do.
  StreamServer(Epoll epoll, UniqueFd port, std::uint32_t window)
      : epoll_(std::move(epoll)),
        port_(
            std::move(port), window,
            [this](const wire::MuxEvent& event) { on_stream_event(event); },
            [this] { carriers_.clear(); }) {}
  StreamServer(const StreamServer&) = delete;
  StreamServer& operator=(const StreamServer&) = delete;
  virtual ~StreamServer() = default;

  // Serves until the port fails.
  [[nodiscard]] Status serve() {
    if (auto added = port_.port().watch(epoll_, kPortTag); !added) return added;
    while (true) {
      auto turn = port_.turn();
      if (!turn) return tl::unexpected(turn.error());
      std::optional<std::chrono::milliseconds> limit;
      if (*turn == MuxPort::Turn::kMore) limit = std::chrono::milliseconds(0);
      auto events = wait_.wait(epoll_, limit);
      if (!events) return tl::unexpected(events.error());
      for (const auto& event : *events)
        on_descriptor_event(event);
    }
  }

 protected:
  // The host opens a stream: refuses it, or calls carry().
  virtual void open(const wire::MuxEvent& event) = 0;

  [[nodiscard]] wire::Mux& mux() { return port_.mux(); }
  [[nodiscard]] Epoll& epoll() { return epoll_; }

  // Makes the stream's carrier of `parts`.
  template <typename... Parts>
  Carrier& carry(wire::StreamId stream, Parts&&... parts) {
    return carriers_
        .try_emplace(static_cast<std::uint32_t>(stream), port_.mux(), epoll_, stream,
                     std::forward<Parts>(parts)...)
        .first->second;
  }
  void forget_if_gone(wire::StreamId stream, typename Carrier::State state) {
    if (state == Carrier::State::kGone) carriers_.erase(static_cast<std::uint32_t>(stream));
  }

 private:
  // The tag of the port; streams have theirs from 1 on.
  static constexpr std::uint64_t kPortTag = 0;

  void on_descriptor_event(const epoll_event& event) {
    if (event.data.u64 == kPortTag) return port_.port().on_event(event.events);
    // A stream may have ended since epoll looked.
    const auto id = static_cast<std::uint32_t>(event.data.u64);
    auto found = carriers_.find(id);
    if (found == carriers_.end()) return;
    forget_if_gone(wire::StreamId{id}, found->second.on_descriptor_event(event.events));
  }

  void on_stream_event(const wire::MuxEvent& event) {
    if (event.kind == wire::MuxEvent::Kind::kOpen) return open(event);
    Carrier& carrier = carriers_.at(static_cast<std::uint32_t>(event.stream));
    forget_if_gone(event.stream, carrier.on_stream_event(event));
  }

  Epoll epoll_;
  EagerWait wait_;
  MuxPort port_;
  std::unordered_map<std::uint32_t, Carrier> carriers_;  // by stream id
};

}  // namespace gondolin::guest
