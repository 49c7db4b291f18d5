#include "vm/fs_channel.hpp"

#include <utility>

#include "vfs/fs_link.hpp"
#include "vm/port_pump.hpp"

namespace gondolin::vm {

class FsChannel::Core final : public PortPump {
 public:
  Core(const asio::any_io_executor& executor, UniqueFd socket,
       std::shared_ptr<vfs::Provider> provider, DebugLog log, ChannelEventSink sink)
      : PortPump(executor, std::move(socket), std::move(sink)),
        provider_(std::move(provider)),
        log_(std::move(log)),
        link_(*provider_, log_, [this] { schedule_flush(); }) {}

 private:
  MutableBytes input_space() override { return link_.input_space(); }
  void input_received(std::size_t count) override { link_.input_received(count); }
  Bytes output() override { return link_.output(); }
  void output_sent(std::size_t count) override { link_.output_sent(count); }
  [[nodiscard]] bool in_frame() const override { return link_.in_frame(); }
  void start_over(const std::string&) override { link_.restart(); }
  void on_close() override {}

  Result<bool> handle_event() override {
    auto event = link_.next_event();
    if (!event) return tl::unexpected(event.error());
    if (!*event) return false;
    switch (**event) {
      case vfs::FsEvent::kRestarted:
        tell_up();
        break;
      case vfs::FsEvent::kMounted:
        tell(ChannelEvent::Kind::kMounted);
        break;
    }
    return true;
  }

  std::shared_ptr<vfs::Provider> provider_;
  DebugLog log_;
  vfs::FsLink link_;
};

FsChannel::FsChannel(const boost::asio::any_io_executor& executor, UniqueFd socket,
                     std::shared_ptr<vfs::Provider> provider, DebugLog log, ChannelEventSink sink)
    : core_(std::make_shared<Core>(executor, std::move(socket), std::move(provider), std::move(log),
                                   std::move(sink))) {
  core_->start();
}

FsChannel::~FsChannel() {
  core_->close();
}

void FsChannel::close() {
  core_->close();
}

}  // namespace gondolin::vm
