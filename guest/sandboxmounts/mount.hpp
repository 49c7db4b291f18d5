// One mount: the stream it was asked for on, the process that makes it, and the device
// through which the guest's kernel asks for what is in it.
//
// Nothing is queued here but one message each way: a host that does not read leaves
// requests in the kernel, where their processes wait.
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/bytes.hpp"
#include "base/unique_fd.hpp"
#include "guest/common/epoll.hpp"
#include "guest/sandboxmounts/mounter.hpp"
#include "wire/mounts.hpp"
#include "wire/mux.hpp"

namespace gondolin::guest {

class Mount {
 public:
  enum class State : std::uint8_t { kThere, kGone };

  // Takes over `stream`, which is answered once the process has ended; epoll has its
  // pidfd with the stream's id as the tag.
  Mount(wire::Mux& mux, Epoll& epoll, wire::StreamId stream, Mounter& mounter,
        Mounter::Process mounting);
  Mount(const Mount&) = delete;
  Mount& operator=(const Mount&) = delete;
  // Breaks the mount: whoever uses it gets ENOTCONN. The stream must be gone, or kGone
  // have been returned.
  ~Mount();

  [[nodiscard]] State on_descriptor_event(std::uint32_t events);
  [[nodiscard]] State on_stream_event(const wire::MuxEvent& event);

 private:
  [[nodiscard]] State on_mounted();
  [[nodiscard]] State pump_requests();
  [[nodiscard]] State pump_answers();
  [[nodiscard]] State end();

  wire::Mux& mux_;
  Epoll& epoll_;
  wire::StreamId stream_;
  Mounter& mounter_;
  Mounter::Process mounting_;
  UniqueFd device_;               // once it is mounted
  bool device_readable_ = false;  // the last read of it did not block
  ByteBuffer request_;            // read from the device
  std::size_t request_size_ = 0;  // 0: none is there
  std::size_t request_sent_ = 0;  // bytes of it that the stream has taken
  wire::FuseMessageCutter answers_;
};

}  // namespace gondolin::guest
