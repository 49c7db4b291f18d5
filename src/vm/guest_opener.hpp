// Opens byte streams to TCP ports of the guest's loopback, through sandboxingress.
#pragma once

#include "io/stream.hpp"
#include "vm/mux_channel.hpp"

namespace gondolin::vm {

class GuestOpener final : public StreamOpener {
 public:
  // `channel` is that of the ingress port and must outlive the opener.
  explicit GuestOpener(MuxChannel& channel) : channel_(channel) {}

  // The first bytes travel with the open, one round trip earlier than the answer.
  Awaitable<Result<Opened>> open(Port port, std::span<const Bytes> first,
                                 std::chrono::milliseconds deadline) override;

 private:
  MuxChannel& channel_;
};

}  // namespace gondolin::vm
