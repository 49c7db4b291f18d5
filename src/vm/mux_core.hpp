// What a MuxChannel and its streams share. Internal to mux_channel.cpp and
// mux_stream.cpp.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <unordered_map>

#include "vm/mux_channel.hpp"
#include "vm/port_pump.hpp"

namespace gondolin::vm {

// Lives as long as the channel, its read loop or one of its streams.
class MuxCore final : public PortPump {
 public:
  MuxCore(const asio::any_io_executor& executor, UniqueFd socket, std::string name,
          ChannelEventSink sink);

  [[nodiscard]] wire::Mux& mux() { return mux_; }
  [[nodiscard]] DeadlineQueue& deadlines() { return deadlines_; }
  [[nodiscard]] Result<std::unique_ptr<MuxStream>> open(Bytes target);

  // The owner of `stream`, which the mux knows, is done with it.
  void release(MuxStream& stream) noexcept;

 private:
  MutableBytes input_space() override { return mux_.input_space(); }
  void input_received(std::size_t count) override { mux_.input_received(count); }
  Bytes output() override { return mux_.output(); }
  void output_sent(std::size_t count) override { mux_.output_sent(count); }
  Result<bool> handle_event() override;
  [[nodiscard]] bool in_frame() const override { return mux_.in_frame(); }
  void start_over(const std::string& why) override;
  void on_close() override;

  void act_on(const wire::MuxEvent& event);
  void end_streams(const std::string& why);

  std::string name_;
  wire::Mux mux_;
  DeadlineQueue deadlines_;
  std::unordered_map<std::uint32_t, MuxStream*> streams_;  // those the mux knows
};

}  // namespace gondolin::vm
