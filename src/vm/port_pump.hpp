// Moves bytes between the socket of a port and a protocol's state machine.
//
// wire::Mux and vfs::FsLink have the same shape: space to read into, events to take
// out, output to send. A PortPump is the turn of the loop around such a machine. One
// coroutine reads; what a turn produced leaves in one send at its end, or as soon
// as the socket takes bytes again.
//
// A guest that breaks the protocol harms itself only: the machine starts over, and
// whatever proper guest end comes next is served. A proper one also sends each frame with
// one write, so one that stops within a frame is no better; without a deadline the HELLO
// of its successor would be taken for the rest of that frame.
//
// When memory runs out in a turn, the machine starts over likewise: nobody can tell what it
// was about to do. When it runs out again before anything else came, the port is closed.
//
// One event-loop thread. Kept alive by its owner and by what it has in progress,
// which close() ends.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/steady_timer.hpp>

#include "base/bytes.hpp"
#include "base/result.hpp"
#include "base/unique_fd.hpp"
#include "io/signal.hpp"
#include "io/stream.hpp"
#include "vm/channel_event.hpp"

namespace gondolin::vm {

class PortPump : public std::enable_shared_from_this<PortPump> {
 public:
  PortPump(const PortPump&) = delete;
  PortPump& operator=(const PortPump&) = delete;
  virtual ~PortPump() = default;

  // Begins to read and write. Call once, when a shared pointer owns the pump.
  void start();
  // Nothing is read, written or told any more. May be called again.
  void close();
  [[nodiscard]] bool closed() const { return closed_; }

  [[nodiscard]] asio::any_io_executor executor() { return socket_.get_executor(); }

  // Sends what the machine has to say at the end of this turn of the loop; at once when there
  // is no memory for later.
  void schedule_flush();
  // Sends it with what is said next, or in a moment: for what nobody waits for, since each
  // send wakes QEMU and the guest.
  void schedule_late_flush();

 protected:
  // `socket` is a connected stream socket.
  PortPump(const asio::any_io_executor& executor, UniqueFd socket, ChannelEventSink sink);

  // --- the machine; see wire/mux.hpp for the meaning ---
  [[nodiscard]] virtual MutableBytes input_space() = 0;
  virtual void input_received(std::size_t count) = 0;
  [[nodiscard]] virtual Bytes output() = 0;
  virtual void output_sent(std::size_t count) = 0;
  // Takes the next event out and acts on it; false when there was none. An error
  // means that the guest broke the protocol.
  [[nodiscard]] virtual Result<bool> handle_event() = 0;
  // Whether a frame has begun whose rest is to come, after handle_event() found nothing.
  [[nodiscard]] virtual bool in_frame() const = 0;
  // The guest end `why`, such as "broke the protocol: …": everything that depends on what it
  // sent so far ends, and the port waits for a guest end that begins anew.
  virtual void start_over(const std::string& why) = 0;
  // The port is gone for good.
  virtual void on_close() = 0;

  // Memory ran out in the machine, which starts over.
  void run_dry() noexcept;

  // Tells the owner, who may close the pump over it.
  void tell(ChannelEvent::Kind kind, std::string message = {});
  // Tells that the guest end is there, for the first time or once more.
  void tell_up();

 private:
  [[nodiscard]] Awaitable<void> read_loop();
  // False when the pump was closed over what happened.
  [[nodiscard]] bool handle_events();
  void close_soon();
  void give_up_on(const std::string& why);
  // Sees to it that a frame that has begun also ends.
  void watch_frame();
  void flush();
  void flush_turn();
  // Sends what there is, as far as it is taken; false when the socket takes no more.
  [[nodiscard]] bool send_output();
  void on_frame_deadline(std::uint64_t seen);
  void wait_until_writable();

  asio::local::stream_protocol::socket socket_;
  ChannelEventSink sink_;
  asio::steady_timer frame_timer_;  // runs while frame_watched_
  asio::steady_timer end_timer_;    // runs while ending_
  asio::steady_timer late_timer_;   // runs while late_flush_scheduled_
  std::uint64_t reads_ = 0;         // that brought something
  bool frame_watched_ = false;
  bool ending_ = false;  // the socket has ended, close() comes
  Signal room_;          // wakes a read loop that found no space
  bool was_up_ = false;
  bool closed_ = false;
  bool flush_scheduled_ = false;
  bool dry_ = false;  // memory ran out, and nothing has been received since
  bool late_flush_scheduled_ = false;
  bool blocked_ = false;  // the socket takes nothing now; wait_until_writable() is on
};

}  // namespace gondolin::vm
