#include "vm/mux_channel.hpp"

#include <new>
#include <utility>

#include "vm/mux_core.hpp"
#include "wire/data_frame.hpp"

namespace gondolin::vm {

MuxCore::MuxCore(const asio::any_io_executor& executor, UniqueFd socket, std::string name,
                 ChannelEventSink sink)
    : PortPump(executor, std::move(socket), std::move(sink)),
      name_(std::move(name)),
      mux_({.role = wire::Role::kHost, .window = wire::kDataWindow}),
      deadlines_(executor) {}

Result<std::unique_ptr<MuxStream>> MuxCore::open(Bytes target) {
  if (closed()) return fail(ErrorCode::kUnavailable, "the guest's " + name_ + " is gone");
  if (!mux_.up()) return fail(ErrorCode::kUnavailable, "the guest's " + name_ + " is not up");
  auto id = mux_.open(target);
  if (!id) return tl::unexpected(id.error());
  auto self = std::static_pointer_cast<MuxCore>(shared_from_this());
  std::unique_ptr<MuxStream> stream;
  try {
    stream.reset(new MuxStream(std::move(self), *id));
  } catch (const std::bad_alloc&) {
    mux_.close(*id);  // as the stream does from here on
    throw;
  }
  streams_.emplace(static_cast<std::uint32_t>(*id), stream.get());
  schedule_flush();
  return stream;
}

void MuxCore::release(MuxStream& stream) noexcept {
  streams_.erase(static_cast<std::uint32_t>(stream.id()));
  // Behind a server that has said all it had to say there is nothing to stop.
  bool over = mux_.at_end(stream.id());
  try {
    mux_.close(stream.id());
    if (over)
      schedule_late_flush();
    else
      schedule_flush();
  } catch (const std::bad_alloc&) {
    run_dry();  // or the mux would keep it for good
  }
}

Result<bool> MuxCore::handle_event() {
  auto event = mux_.next_event();
  if (!event) return tl::unexpected(event.error());
  if (*event) act_on(**event);
  return event->has_value();
}

void MuxCore::act_on(const wire::MuxEvent& event) {
  using Kind = wire::MuxEvent::Kind;
  if (event.kind == Kind::kUp) {
    end_streams("the guest's " + name_ + " was restarted");
    return tell_up();
  }
  auto found = streams_.find(static_cast<std::uint32_t>(event.stream));
  if (found == streams_.end()) return;
  MuxStream& stream = *found->second;
  switch (event.kind) {
    case Kind::kOpened:
      if (event.code != 0) streams_.erase(found);  // as the mux did
      return stream.on_opened(event.code);
    case Kind::kReadable:
      return stream.on_readable();
    case Kind::kEnd:
      return stream.readable_.notify();
    case Kind::kWritable:
      return stream.writable_.notify();
    case Kind::kReset:
      return stream.on_peer_reset();
    case Kind::kUp:
    case Kind::kRenew:
    case Kind::kOpen:
      return;  // the first is dealt with above, the others are the guest's
  }
}

void MuxCore::start_over(const std::string& why) {
  mux_.restart();
  end_streams("the guest's " + name_ + " " + why);
}

void MuxCore::on_close() {
  end_streams("the channel to the guest's " + name_ + " is closed");
}

void MuxCore::end_streams(const std::string& why) {
  while (!streams_.empty()) {
    Error error{ErrorCode::kReset, why, 0};
    MuxStream& stream = *streams_.begin()->second;
    streams_.erase(streams_.begin());  // the mux has forgotten it
    stream.end(std::move(error));
  }
}

MuxChannel::MuxChannel(const asio::any_io_executor& executor, UniqueFd socket, std::string name,
                       ChannelEventSink sink)
    : core_(std::make_shared<MuxCore>(executor, std::move(socket), std::move(name),
                                      std::move(sink))) {
  core_->start();
}

MuxChannel::~MuxChannel() {
  core_->close();
}

asio::any_io_executor MuxChannel::executor() const {
  return core_->executor();
}

bool MuxChannel::up() const {
  return !core_->closed() && core_->mux().up();
}

Result<std::unique_ptr<MuxStream>> MuxChannel::open(Bytes target) {
  return core_->open(target);
}

DeadlineQueue& MuxChannel::deadlines() {
  return core_->deadlines();
}

void MuxChannel::close() {
  core_->close();
}

}  // namespace gondolin::vm
