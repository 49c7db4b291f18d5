// Carries FUSE messages between /dev/fuse and the fs port, whole and unread: the
// host answers them. Each read of the device is one message, which travels in one or
// more frames; each message from the port is one write to the device.
//
// A mount lives no longer than the agreement with a host. It is made when the host
// has said WELCOME; when the host is new, or somebody in the guest has unmounted it,
// everything starts over with another HELLO, so that no answer to an old mount can
// reach a new one.
//
// But a mount that nobody has used yet, as it is in every copy of a template, is kept: all
// that it knows of its host is the answer to INIT. The new host is asked the same, and is as
// good as the old one when it answers the same; requests wait in the kernel until then. Making
// a mount anew takes emulated guests a tenth of their start.
//
// Nothing is queued here but one message each way and the frames of one write(2): a
// host that does not read leaves requests in the kernel, where their processes wait.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>

#include "base/bytes.hpp"
#include "base/result.hpp"
#include "base/unique_fd.hpp"
#include "guest/common/epoll.hpp"
#include "guest/common/port.hpp"
#include "wire/link.hpp"
#include "wire/output_buffer.hpp"

namespace gondolin::guest {

class FuseRelay {
 public:
  // How a mount is made, which gives its non-blocking device, and undone: as mount_point.hpp
  // has it, or what a test puts in its place.
  struct Mounting {
    std::function<Result<UniqueFd>()> mount;
    std::function<void()> detach;
  };

  FuseRelay(Epoll epoll, UniqueFd port, Mounting mounting);

  // Runs until the port fails, the host breaks the protocol or mounting fails.
  [[nodiscard]] Status serve();

 private:
  // What a step has come to: whether there may be more to do without waiting.
  enum class Step : std::uint8_t { kIdle, kProgress };

  [[nodiscard]] Result<Step> step();
  [[nodiscard]] Status start_over();
  [[nodiscard]] Status mount();
  [[nodiscard]] bool unused() const;
  void introduce();

  [[nodiscard]] Status handle_events();
  [[nodiscard]] Result<Step> read_port();
  [[nodiscard]] Result<Step> write_port();
  [[nodiscard]] Status on_frame(const wire::Frame& frame);

  [[nodiscard]] Result<Step> read_device();
  [[nodiscard]] Status write_device();
  void frame_request();

  Epoll epoll_;
  Port port_;
  Mounting mounting_;
  wire::Link link_;
  wire::OutputBuffer output_;
  UniqueFd device_;               // while mounted
  bool device_readable_ = false;  // the last read of it did not block
  bool unmounted_ = false;        // the kernel has said that the mount is gone
  ByteBuffer request_;            // read from the device
  std::size_t request_size_ = 0;  // 0: none is there
  std::size_t request_sent_ = 0;  // bytes of it that are framed
  ByteBuffer reply_;              // the pieces that came from the port
  std::size_t requests_ = 0;      // read from the device since it was mounted
  ByteBuffer init_;               // the first of them
  ByteBuffer init_reply_;         // and its answer, once it is there
  bool introducing_ = false;      // a new host has not answered `init_` yet: nothing is read
};

}  // namespace gondolin::guest
