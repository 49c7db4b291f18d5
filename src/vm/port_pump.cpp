#include "vm/port_pump.hpp"

#include <sys/socket.h>

#include <cerrno>
#include <chrono>
#include <new>
#include <utility>

#include <boost/asio/post.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "io/spawn.hpp"

namespace gondolin::vm {
namespace {

// How long the rest of a frame may take. QEMU hands a guest's write on as a whole, so
// this is for a host that is badly out of breath.
constexpr std::chrono::seconds kFrameDeadline{3};

// How long QEMU takes to exit once it has closed a socket.
constexpr std::chrono::milliseconds kExitPatience{500};

// What a late flush waits for something to go with.
constexpr std::chrono::milliseconds kLateFlush{2};

}  // namespace

PortPump::PortPump(const asio::any_io_executor& executor, UniqueFd socket, ChannelEventSink sink)
    : socket_(executor, asio::local::stream_protocol(), socket.release()),
      sink_(std::move(sink)),
      frame_timer_(executor),
      end_timer_(executor),
      late_timer_(executor),
      room_(executor) {
  socket_.non_blocking(true);
}

void PortPump::start() {
  spawn(executor(), [self = shared_from_this()] { return self->read_loop(); });
  schedule_flush();
}

void PortPump::close() {
  if (std::exchange(closed_, true)) return;
  sink_ = nullptr;
  boost::system::error_code ignored;
  socket_.close(ignored);
  frame_timer_.cancel();
  end_timer_.cancel();
  late_timer_.cancel();
  room_.notify();
  on_close();
}

Awaitable<void> PortPump::read_loop() {
  while (!closed_) {
    try {
      MutableBytes space = input_space();
      if (space.empty()) {
        co_await room_.wait();
        continue;
      }
      boost::system::error_code error;
      std::size_t count =
          co_await socket_.async_receive(asio::buffer(space.data(), space.size()),
                                         asio::redirect_error(asio::use_awaitable, error));
      if (closed_) co_return;
      if (error) {
        close_soon();
        co_return;
      }
      input_received(count);
      ++reads_;
      dry_ = false;
      if (!handle_events()) co_return;
      watch_frame();
      schedule_flush();
    } catch (const std::bad_alloc&) {
      run_dry();
    }
  }
}

bool PortPump::handle_events() {
  while (!closed_) {
    auto handled = handle_event();
    if (!handled) {
      give_up_on(handled.error().message);
      continue;
    }
    if (!*handled) return true;
  }
  return false;
}

// QEMU is ending. Whoever watches the process will say why and close the port then, so
// that nobody is told of a closed port instead of the reason for it.
void PortPump::close_soon() {
  if (closed_ || std::exchange(ending_, true)) return;
  end_timer_.expires_after(kExitPatience);
  end_timer_.async_wait([weak = weak_from_this()](boost::system::error_code error) {
    auto self = weak.lock();
    if (self && !error) self->close();
  });
}

void PortPump::give_up_on(const std::string& why) {
  start_over("broke the protocol: " + why);
  tell(ChannelEvent::Kind::kFailed, why);
  schedule_flush();
}

void PortPump::run_dry() noexcept {
  if (closed_) return;
  if (std::exchange(dry_, true)) return close();
  try {
    start_over("was cut off: out of memory");
    tell(ChannelEvent::Kind::kExhausted);
    schedule_flush();
  } catch (const std::bad_alloc&) {
    close();
  }
}

// Started by the first frame that is cut, which is common in bulk, and asking no more
// than once in a while.
void PortPump::watch_frame() {
  if (closed_ || frame_watched_ || !in_frame()) return;
  frame_timer_.expires_after(kFrameDeadline);
  frame_timer_.async_wait([weak = weak_from_this(), seen = reads_](boost::system::error_code) {
    if (auto self = weak.lock()) self->on_frame_deadline(seen);
  });
  frame_watched_ = true;
}

void PortPump::on_frame_deadline(std::uint64_t seen) {
  if (closed_) return;
  frame_watched_ = false;
  boost::system::error_code error;
  bool waiting = socket_.available(error) > 0;  // bytes that it is for us to read
  try {
    if (reads_ == seen && !waiting && in_frame()) {
      give_up_on("a frame that does not end");
      if (!handle_events()) return;  // a HELLO may lie behind its beginning
    }
    watch_frame();
  } catch (const std::bad_alloc&) {
    run_dry();
  }
}

void PortPump::schedule_flush() {
  if (closed_ || blocked_ || flush_scheduled_) return;
  try {
    asio::post(executor(), [weak = weak_from_this()] {
      if (auto self = weak.lock()) self->flush();
    });
    flush_scheduled_ = true;
  } catch (const std::bad_alloc&) {
    // The machine is in the middle of something and must not be asked for more than bytes.
    if (!send_output()) wait_until_writable();
  }
}

void PortPump::schedule_late_flush() {
  if (closed_ || late_flush_scheduled_) return;
  late_timer_.expires_after(kLateFlush);
  late_timer_.async_wait([weak = weak_from_this()](boost::system::error_code) {
    auto self = weak.lock();
    if (!self) return;
    self->late_flush_scheduled_ = false;
    self->schedule_flush();
  });
  late_flush_scheduled_ = true;
}

void PortPump::flush() {
  flush_scheduled_ = false;
  try {
    flush_turn();
  } catch (const std::bad_alloc&) {
    run_dry();
  }
}

void PortPump::flush_turn() {
  while (!closed_ && !blocked_) {
    const Bytes bytes = output();
    if (bytes.empty()) return room_.notify();
    if (!send_output()) return wait_until_writable();
    if (!handle_events()) return;  // room may have come back
  }
}

bool PortPump::send_output() {
  while (!closed_ && !blocked_) {
    const Bytes bytes = output();
    if (bytes.empty()) return true;
    ssize_t count = ::send(socket_.native_handle(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (count >= 0) {
      output_sent(static_cast<std::size_t>(count));
    } else if (errno == EAGAIN) {
      return false;
    } else if (errno != EINTR) {
      blocked_ = true;
      close_soon();
    }
  }
  return true;
}

void PortPump::wait_until_writable() {
  socket_.async_wait(asio::socket_base::wait_write,
                     [self = shared_from_this()](boost::system::error_code) {
                       self->blocked_ = false;
                       self->flush();
                     });
  blocked_ = true;
}

void PortPump::tell(ChannelEvent::Kind kind, std::string message) {
  auto sink = sink_;  // it may close the pump, and with that itself
  if (sink) sink({kind, std::move(message)});
}

void PortPump::tell_up() {
  tell(std::exchange(was_up_, true) ? ChannelEvent::Kind::kRestarted : ChannelEvent::Kind::kUp);
}

}  // namespace gondolin::vm
