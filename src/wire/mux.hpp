// Many streams over one port: the state machine of both ends.
//
// The host opens streams, the guest end accepts or refuses them and can never
// open one. Either end sends bytes within the window the other one granted,
// half-closes its direction (FIN) or ends the stream (RESET).
//
// It does no I/O and calls nobody back. One turn of an owner's loop is:
//
//   read the port into input_space(), tell input_received();
//   take next_event() until there is none, acting on each;
//   while output() is not empty: write it to the port, tell output_sent(),
//   and take next_event() again, because room may have come back.
//
// Flow control. Each end announces in the handshake how much it will receive on
// a new stream; the sender starts with exactly that much credit. What the owner
// consume()s goes back in CREDIT frames of at least a quarter of the window, so a
// sender whose bytes have all been consumed always has three quarters of it: no
// choice of windows can stall a stream. Received bytes stay in a buffer of the
// stream that never exceeds the window. Windows are large for the few streams that
// carry much; where many stand still, the sender spares the other end's memory: once
// many bytes are in flight (sent, and not granted again) on all streams together, a
// stream sends only while less than a quarter of its window is. That much the other end
// grants again as soon as it is consumed, so this can stall no stream either.
//
// Fairness. There is no send queue: write() puts a DATA frame into the output
// buffer or takes nothing. A stream that found no room waits in line and gets
// kWritable when its turn comes; nobody passes those who wait, and a turn is one
// frame. Frames other than DATA go before all that.
//
// The guest end's output() is whole frames of at most kMaxFrame bytes together,
// for one write(2) (see wire/frame.hpp).
//
// Retired streams. Ids grow by one from open to open (and wrap, skipping 0 and
// those in use) and are not used again. An end that is done with a stream forgets
// it at once; frames the other end sent before it knew are recognized by an id
// that was opened earlier and is unknown now, and are ignored. A frame for an id
// that was never opened is a protocol error.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <unordered_map>
#include <vector>

#include "base/bytes.hpp"
#include "base/result.hpp"
#include "wire/frame.hpp"
#include "wire/link.hpp"
#include "wire/output_buffer.hpp"
#include "wire/pieces.hpp"

namespace gondolin::wire {

enum class StreamId : std::uint32_t {};

struct MuxEvent {
  enum class Kind : std::uint8_t {
    kUp,      // the other end is there and new; every stream from before is gone
    kRenew,   // guest only: call greet(); every stream from before is gone
    kOpen,    // guest only: the host opened `stream` to `target`; answer with accept() or refuse()
    kOpened,  // host only: the guest end answered; with `code` not 0, an errno, the stream is gone
    kReadable,  // `stream` has bytes to read() that were not there before
    kEnd,       // no more bytes come on `stream` after those it has now
    kWritable,  // write() on `stream`, which took less than it was given, may take more now
    kReset,     // the other end ended `stream` for reason `code`: nothing can be written any more,
                // but what came before can still be read until close()
  };
  Kind kind;
  StreamId stream{};
  std::uint32_t code = 0;
  Bytes target{};  // of kOpen; valid until the next call of next_event() or input_space()
};

// Why a stream was reset.
enum class ResetReason : std::uint32_t {
  kClosed = 0,     // the owner gave up: the client went away, the server was told to end
  kPeerReset = 1,  // what is behind the stream broke off: a TCP reset, a program that died
  kLimit = 2,      // a documented bound was reached
};

struct MuxOptions {
  Role role;
  std::uint32_t window = 64 * 1024;  // bytes this end receives ahead of consume(), per stream
  std::size_t max_streams = 4096;
  std::size_t flight_limit = 16 * 1024 * 1024;  // bytes in flight on all streams, see above
  std::size_t output_capacity = 64 * 1024;      // host only; the guest's is kMaxFrame
  std::size_t input_capacity = 2 * kMaxFrame;
};

// Not thread-safe. Every stream ends by close(), unless it is gone already after
// kOpened with an errno, kUp, kRenew or refuse(). The id of a stream that is gone
// must not be used again; doing so is a bug and checked.
class Mux {
 public:
  explicit Mux(const MuxOptions& options);

  // Guest: says HELLO; once at the start and after every kRenew. `nonce` must be
  // fresh and random. Streams from before are gone.
  void greet(const Nonce& nonce);

  // Host: starts over after an error, as if this end were new. Streams from before are
  // gone, and everything is discarded until the guest end says HELLO.
  void restart();
  // Whether a frame has begun whose rest is to come. Only of meaning when next_event()
  // has returned nothing and input_space() is not empty.
  [[nodiscard]] bool in_frame() const { return link_.in_frame(); }

  // Whether the other end is there, so that streams can be opened.
  [[nodiscard]] bool up() const { return link_.up(); }
  [[nodiscard]] std::size_t stream_count() const { return streams_.size(); }

  // --- input ---------------------------------------------------------------
  // Where to put bytes from the port. Empty only while the output is blocked so
  // that replies could pile up; then send output() first.
  [[nodiscard]] MutableBytes input_space();
  void input_received(std::size_t count);

  // What happened next; nothing when all that was received has been handled.
  // kProtocol when the other end broke a rule, with a sentence that says which:
  // on the host restart() makes the port usable again.
  [[nodiscard]] Result<std::optional<MuxEvent>> next_event();

  // --- output --------------------------------------------------------------
  // Bytes to write to the port, empty when there are none. They stay in place
  // until output_sent(), whatever else is called.
  [[nodiscard]] Bytes output();
  void output_sent(std::size_t count);

  // --- streams -------------------------------------------------------------
  // Host: opens a stream to `target` (at most kMaxPayload bytes). Bytes may be
  // written at once, before kOpened. kUnavailable when no guest end is there,
  // kLimit when too many streams are open.
  [[nodiscard]] Result<StreamId> open(Bytes target);

  // Guest: answers kOpen. Nothing can be written before. `os_error` is not 0.
  void accept(StreamId stream);
  void refuse(StreamId stream, std::uint32_t os_error);

  // Bytes received and not consumed, as many as lie together: never empty while
  // there are any. Valid until the next call of next_event(), input_space() or
  // consume() for the stream.
  [[nodiscard]] Bytes read(StreamId stream) const;
  // All of them, wherever they lie.
  [[nodiscard]] Pieces pieces(StreamId stream) const;
  // Removes the first `count` bytes of pieces().
  void consume(StreamId stream, std::size_t count);
  // Whether the other end has half-closed and everything is consumed.
  [[nodiscard]] bool at_end(StreamId stream) const;

  // Takes as much of `bytes` as credit and room allow and returns how much that
  // was. After it took less than everything, kWritable follows, or kReset.
  [[nodiscard]] std::size_t write(StreamId stream, Bytes bytes);

  // The same without a copy: a place for at most kMaxPayload bytes of the stream,
  // to be filled and given back by commit() before anything else is called.
  // Empty when there is no credit or no room; then kWritable follows.
  [[nodiscard]] MutableBytes write_space(StreamId stream);
  // The first `count` bytes of write_space() are to be sent; 0 withdraws.
  void commit(StreamId stream, std::size_t count);

  // Half-closes, to be called once: the other end gets kEnd behind the bytes written so far.
  // Nothing can be written after it.
  void finish(StreamId stream);

  // The owner is done with the stream. When both directions have ended in order,
  // or by kReset, the stream is just forgotten; otherwise the other end gets
  // kReset. Bytes received and not consumed are dropped.
  void close(StreamId stream, ResetReason reason = ResetReason::kClosed);

 private:
  struct Stream {
    std::vector<std::byte> received;  // from `read_at` on: not consumed
    std::size_t read_at = 0;
    std::vector<std::byte> target;     // host: of an OPEN that has not left yet
    std::uint32_t receive_credit = 0;  // bytes the other end may still send
    std::uint32_t to_return = 0;       // bytes consumed and not yet granted again
    std::uint32_t send_credit = 0;
    std::uint32_t code = 0;  // of an OPENED or RESET that has not left yet
    unsigned pending = 0;    // frames that wait for room, see Pending in mux.cpp
    bool answered = false;   // OPENED was sent (guest) or received (host)
    bool finished = false;   // finish() was called
    bool peer_finished = false;
    bool reset = false;         // kReset was given out, close() is awaited
    bool closed = false;        // close() was called, a frame still waits for room
    bool wants_credit = false;  // kWritable is owed when credit comes
    bool in_line = false;       // waits in line_ for room
    bool has_turn = false;      // got kWritable for room and has not written since
  };

  using Streams = std::unordered_map<std::uint32_t, Stream>;
  using Outcome = Result<std::optional<MuxEvent>>;

  [[nodiscard]] Stream& stream(StreamId id);
  [[nodiscard]] const Stream& stream(StreamId id) const;
  [[nodiscard]] bool was_opened(std::uint32_t id) const;
  void drop_all();
  void forget(Streams::iterator stream);
  void settle();
  void append(Stream& stream, Bytes bytes);
  void borrow_more(Stream& stream);
  void forget_input(StreamId id, Stream& stream);

  [[nodiscard]] Outcome handle(const Frame& frame);
  [[nodiscard]] Outcome on_open(const Frame& frame);
  [[nodiscard]] Outcome on_opened(std::uint32_t id, Stream& stream, std::uint32_t code);
  [[nodiscard]] Outcome on_data(std::uint32_t id, Stream& stream, Bytes payload);
  [[nodiscard]] Outcome on_credit(std::uint32_t id, Stream& stream, std::uint32_t amount);
  [[nodiscard]] Outcome on_fin(std::uint32_t id, Stream& stream);
  [[nodiscard]] Outcome on_reset(std::uint32_t id, Stream& stream, std::uint32_t code);

  void skip_gone();
  [[nodiscard]] std::optional<MuxEvent> next_turn();

  void request(std::uint32_t id, Stream& stream, unsigned frames);
  void send_pending();
  [[nodiscard]] bool send_pending(std::uint32_t id, Stream& stream);
  [[nodiscard]] std::uint32_t usable_credit(const Stream& stream) const;
  [[nodiscard]] bool may_take_room(std::uint32_t id, Stream& stream);

  MuxOptions options_;
  Link link_;
  OutputBuffer output_;
  Streams streams_;
  std::uint32_t last_opened_ = 0;      // host: the last id given out; guest: the last one seen
  std::uint64_t opened_since_up_ = 0;  // ids given out or seen since the handshake
  std::size_t in_flight_ = 0;          // sent on all streams and not granted again
  std::deque<std::uint32_t> urgent_;   // streams with pending frames, each once
  std::deque<std::uint32_t> line_;     // streams that wait for room, each once
  std::optional<Frame> held_;          // an OPEN whose refusal waits for room
  std::uint32_t borrower_ = 0;         // the stream whose newest bytes still lie in the input
  Pieces borrowed_;
  std::uint32_t reserved_for_ = 0;  // the stream between write_space() and commit()
};

}  // namespace gondolin::wire
