// The host's end of the fs port: the handshake, the joining of frames to FUSE
// messages and the splitting of replies, around a FuseSession.
//
// It does no I/O. One turn of an owner's loop is:
//
//   read the port into input_space(), tell input_received();
//   take next_event() until there is none;
//   while output() is not empty: write it to the port, tell output_sent(),
//   and take next_event() again, because room may have come back.
//
// Memory is bounded by construction: a message is taken up only when its reply and
// those that are still owed all fit the output buffer, however large they turn out.
// Until then input_space() is empty, and the guest waits.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>

#include "base/bytes.hpp"
#include "base/debug_log.hpp"
#include "base/result.hpp"
#include "vfs/fuse_session.hpp"
#include "wire/link.hpp"
#include "wire/output_buffer.hpp"

namespace gondolin::vfs {

enum class FsEvent : std::uint8_t {
  kRestarted,  // the guest's daemon is there and new (said when it first comes, too)
  kMounted,    // its kernel's INIT was answered: the file system can be used
};

// Belongs to one event-loop thread, like the provider.
class FsLink {
 public:
  // `provider` and `log` must outlive the link.
  // `on_output` is called when there is output that no call of the owner's brought
  // forth: an answer that a provider gave later. It must not call the link back at
  // once; the owner's next turn does.
  FsLink(Provider& provider, const DebugLog& log, std::function<void()> on_output);

  // Starts over after an error: the guest's daemon is asked to do the same.
  void restart();

  // Whether a frame has begun whose rest is to come. Only of meaning when next_event()
  // has returned nothing.
  [[nodiscard]] bool in_frame() const { return !complete_ && link_.in_frame(); }

  // Where to put bytes from the port; empty only while replies wait to be sent or
  // to be given.
  [[nodiscard]] MutableBytes input_space();
  void input_received(std::size_t count);

  // What happened next; nothing when everything received has been handled or must
  // wait for room. kProtocol when the guest broke a rule, with a sentence that says
  // which: nothing but restart() may follow.
  [[nodiscard]] Result<std::optional<FsEvent>> next_event();

  // Bytes to write to the port, empty when there are none. They stay in place until
  // output_sent(), whatever else is called.
  [[nodiscard]] Bytes output() { return output_.front(); }
  void output_sent(std::size_t count) { output_.sent(count); }

 private:
  using Outcome = Result<std::optional<FsEvent>>;

  [[nodiscard]] Outcome advance();
  void start_over();
  [[nodiscard]] Status join(const wire::Frame& frame);
  [[nodiscard]] Outcome take_message();
  void send(std::span<const Bytes> reply);

  std::function<void()> on_output_;
  wire::Link link_;
  wire::OutputBuffer output_;
  ByteBuffer message_;     // the pieces received so far
  bool complete_ = false;  // message_ is whole and waits to be taken
  bool in_turn_ = false;   // next_event() is running, so on_output_ is not needed
  FuseSession session_;    // sends, so it comes last
};

}  // namespace gondolin::vfs
