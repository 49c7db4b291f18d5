#include "vm/mounts_channel.hpp"

#include <chrono>
#include <utility>

#include "io/spawn.hpp"
#include "vm/mount_stream.hpp"
#include "vm/mux_channel.hpp"
#include "vm/stream_deadline.hpp"

namespace gondolin::vm {
namespace {

// For one mount, which a small process in the guest makes.
constexpr std::chrono::seconds kMountDeadline{20};

}  // namespace

class MountsChannel::Core : public std::enable_shared_from_this<Core> {
 public:
  Core(const asio::any_io_executor& executor, UniqueFd socket, DebugLog log, ChannelEventSink sink)
      : executor_(executor),
        log_(std::move(log)),
        sink_(std::move(sink)),
        channel_(executor, std::move(socket), "sandboxmounts",
                 [this](const ChannelEvent& event) { on_event(event); }) {}

  Awaitable<Status> mount(std::vector<GuestMount> mounts) {
    const auto self = shared_from_this();
    mounts_ = std::move(mounts);
    co_return co_await mount_all();
  }

  void close() {
    channel_.close();
    end_streams();
  }

 private:
  void on_event(const ChannelEvent& event) {
    if (event.kind != ChannelEvent::Kind::kUp) end_streams();
    if (event.kind == ChannelEvent::Kind::kRestarted && !mounts_.empty()) {
      spawn(executor_, [self = shared_from_this()] { return self->mount_again(); });
    }
    sink_(event);
  }

  void end_streams() {
    for (const auto& stream : std::exchange(streams_, {}))
      stream->end();
  }

  Awaitable<Status> mount_all() {
    const unsigned round = ++round_;
    for (const GuestMount& one : mounts_) {
      auto opened = channel_.open(wire::encode_mount_target(one.target));
      if (!opened) co_return tl::unexpected(opened.error());
      auto& stream = **opened;
      auto mount = std::make_shared<MountStream>(executor_, one, std::move(*opened), log_);
      StreamDeadline limit(channel_.deadlines(), stream, kMountDeadline);
      auto mounted = co_await mount->opened();
      // The daemon may have gone meanwhile, and another round have begun.
      if (mounted && round != round_) mounted = fail(ErrorCode::kReset, "sandboxmounts restarted");
      if (!mounted) {
        Error error = limit.explain(mounted.error());
        error.message = "cannot mount at " + one.target.path + ": " + error.message;
        co_return tl::unexpected(std::move(error));
      }
      streams_.push_back(mount);
      mount->serve();
    }
    co_return Status{};
  }

  Awaitable<void> mount_again() {
    auto mounted = co_await mount_all();
    if (!mounted && log_.enabled(DebugTopic::kVfs)) {
      log_.line(DebugTopic::kVfs, mounted.error().message);
    }
  }

  const asio::any_io_executor executor_;
  const DebugLog log_;
  const ChannelEventSink sink_;
  std::vector<GuestMount> mounts_;
  std::vector<std::shared_ptr<MountStream>> streams_;
  unsigned round_ = 0;
  MuxChannel channel_;
};

MountsChannel::MountsChannel(const boost::asio::any_io_executor& executor, UniqueFd socket,
                             DebugLog log, ChannelEventSink sink)
    : core_(std::make_shared<Core>(executor, std::move(socket), std::move(log), std::move(sink))) {}

MountsChannel::~MountsChannel() {
  core_->close();
}

Awaitable<Status> MountsChannel::mount(std::vector<GuestMount> mounts) {
  return core_->mount(std::move(mounts));
}

void MountsChannel::close() {
  core_->close();
}

}  // namespace gondolin::vm
