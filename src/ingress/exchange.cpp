#include "ingress/exchange.hpp"

#include <array>
#include <utility>

#include <boost/asio/co_spawn.hpp>
#include <fmt/format.h>

#include "ingress/body_parts.hpp"
#include "ingress/hooked.hpp"
#include "ingress/router.hpp"
#include "ingress/upload.hpp"
#include "io/spawn.hpp"

namespace gondolin::ingress {

using http::BodyKind;
using http::StatusCode;

namespace {

// A client that has ended its side may still read (`… | nc -N`) or be gone. It is
// looked after this often; where nobody knows, it counts as gone once nothing could
// be sent for as long.
constexpr std::chrono::milliseconds kHalfClosedGrace{200};

}  // namespace

Exchange::Exchange(std::weak_ptr<const void> owner, Core& core, Client& client,
                   Workspace& workspace, std::uint64_t connection, const AnswerTo& answer_to)
    : owner_(std::move(owner)),
      core_(core),
      client_(client),
      connection_(connection),
      answer_to_(answer_to),
      hooked_(core.hooked() ? std::make_unique<Hooked>(core) : nullptr),
      writer_(workspace.writer),
      response_head_(workspace.response_head),
      response_(workspace.response),
      upload_signal_(core.parts.executor),
      upload_ended_(core.parts.executor),
      // Once the response has begun, a stream in both directions may rest as it likes.
      request_deadline_(core.deadlines,
                        [this] {
                          if (!heard_) fail(request_stall_);
                        }),
      response_deadline_(core.deadlines,
                         [this] { fail(begun_ ? Failure::kSilence : Failure::kBackendStalled); }),
      client_deadline_(core.deadlines, [this] { give_up(); }),
      half_closed_deadline_(core.deadlines, [this] {
        if (client_.peer_state() == PeerState::kOwned) {
          watch_half_closed();
        } else {
          give_up();
        }
      }) {}

// What a large response made of the buffer is not kept for an idle connection.
Exchange::~Exchange() {
  client_.watch({});
  response_.clear();
}

void Exchange::fail(Failure failure) noexcept {
  if (failure_ == Failure::kNone) failure_ = failure;
  if (backend_) backend_->reset();
  if (hooked_) hooked_->call.abandon();
}

void Exchange::give_up() noexcept {
  fail(Failure::kClientGone);
  client_.abort();
}

void Exchange::break_off() noexcept {
  client_.watch({});
  fail(Failure::kOutOfMemory);
  end_upload();
}

// Looks after a client that has ended its side, or does not let it wait.
void Exchange::watch_half_closed() noexcept {
  try {
    half_closed_deadline_.arm(kHalfClosedGrace);
  } catch (const std::bad_alloc&) {
    give_up();
  }
}

void Exchange::on_client_end() noexcept {
  if (client_.state() == Client::Input::kEnded && request_complete()) {
    if (client_.peer_state() == PeerState::kGone) {
      give_up();
    } else {
      watch_half_closed();
    }
  } else if (client_.state() == Client::Input::kBroken || client_.input().empty()) {
    fail(Failure::kClientGone);
  }
}

void Exchange::take(const RoutedRequest& request) {
  router_ = request.router;
  route_ = &request.route;
  port_ = route_->port;
  upgrading_ = request.upgrading;
  response_to_ = http::response_to(request.head.method);
  request_framing_ = request.head.body.kind;
  request_body_ = http::BodyDecoder(request.head.body, core_.config.limits);
  awaiting_continue_ = request.head.expectation == http::Expectation::kContinue;
}

Awaitable<std::optional<After>> Exchange::begin(RoutedRequest request) {
  take(request);
  const Forwarding forwarding{.route = *route_,
                              .path = request.path,
                              .client_address = client_.address(),
                              .gateway_authority = core_.authority,
                              .upgrading = upgrading_};
  client_.watch([this] { on_client_end(); });
  if (client_.state() != Client::Input::kOpen) on_client_end();
  if (hooked_) {
    if (auto refused = co_await ask_before(request.head, forwarding)) {
      client_.input().consume(request.head.size);
      skip_request();
      co_return co_await answer_hook_error(*std::move(refused));
    }
  }
  std::string_view head_text = hooked_ ? write_hooked(request.head, forwarding)
                                       : write_request_head(writer_, request.head, forwarding);
  client_.input().consume(request.head.size);

  // The backend is opened with the head and what is there of the body. A body that is
  // known to be malformed by then never gets that far.
  const BodyRun first = decode_request();
  if (failure_ != Failure::kNone) co_return co_await answer_failure("");
  BodyParts parts;
  parts.head(head_text);
  parts.body(first, request_framing_);
  client_.read_ahead();
  auto opened = co_await core_.parts.opener.open(port_, parts.get(), core_.config.connect_timeout);
  std::string unsent;
  if (opened) {
    backend_ = std::move(opened->stream);
    unsent = parts.rest(opened->written);
  }
  client_.input().consume(first.consumed);
  if (failure_ != Failure::kNone) {
    if (backend_) backend_->reset();
    co_return co_await answer_failure("");
  }
  if (!opened) co_return co_await answer_unreachable(opened.error());
  if (request_complete() && unsent.empty()) {
    request_sent();
  } else {
    asio::co_spawn(core_.parts.executor, upload(Upload(*this), std::move(unsent)), LeaveLoop());
  }
  co_return std::nullopt;
}

// ---- Both ends ------------------------------------------------------------------

// Sends what the client takes now, which is mostly all; false if it is gone, none if
// finish_sending() has to follow.
std::optional<bool> Exchange::send_now(std::span<const Bytes> parts) {
  switch (client_.write_now(parts)) {
    case Client::Written::kAll:
      return sent(Status{});
    case Client::Written::kPart:
      return std::nullopt;
    case Client::Written::kBroken:
      break;
  }
  fail(Failure::kClientGone);
  return false;
}

Awaitable<bool> Exchange::finish_sending() {
  client_deadline_.arm(core_.config.client_stall);
  Status finished = co_await client_.finish_write();
  client_deadline_.disarm();
  co_return sent(finished);
}

bool Exchange::sent(const Status& status) {
  if (!status) {
    fail(Failure::kClientGone);
  } else if (client_.state() == Client::Input::kEnded && upgrading_ == Upgrading::kNo) {
    watch_half_closed();
  }
  return status.has_value();
}

Awaitable<bool> Exchange::send(std::span<const Bytes> parts) {
  if (auto done = send_now(parts)) co_return *done;
  co_return co_await finish_sending();
}

Awaitable<After> Exchange::answer(Answer answer) {
  if (!request_complete()) answer_to_.persistence = http::Persistence::kClose;
  if (core_.logs()) {
    core_.log(connection_, fmt::format("{} {}", http::to_number(answer.status), answer.line));
  }
  heard_ = true;
  std::string text = write_answer(answer, answer_to_);
  std::array parts{as_bytes(text)};
  begun_ = true;
  if (!co_await send(parts)) co_return After::kAbort;
  co_return answer_to_.persistence == http::Persistence::kKeepAlive ? After::kNextRequest
                                                                    : After::kClose;
}

// There will be no response from the backend; `why` is for the debug log.
Awaitable<After> Exchange::answer_failure(std::string_view why) {
  StatusCode status = StatusCode::kBadGateway;
  std::string_view line;
  switch (failure_) {
    case Failure::kNone:
      break;
    case Failure::kClientGone:
      if (core_.logs()) core_.log(connection_, "the client is gone");
      co_return After::kAbort;
    case Failure::kRequestRejected:
      status = rejection_.status;
      why = rejection_.reason;
      break;
    case Failure::kRequestStalled:
      status = StatusCode::kRequestTimeout;
      why = "the request's body stalled";
      break;
    case Failure::kBackendStalled:
      status = StatusCode::kGatewayTimeout;
      why = "the backend did not answer in time";
      break;
    case Failure::kSilence:
      co_return After::kAbort;
    case Failure::kOutOfMemory:
      status = StatusCode::kServiceUnavailable;
      why = line = "out of memory";
      break;
  }
  if (core_.logs()) core_.log(connection_, why);
  if (line.empty()) line = default_line(status);
  co_return co_await answer({.status = status, .line = std::string(line)});
}

Awaitable<After> Exchange::answer_unreachable(const Error& error) {
  if (core_.logs()) core_.log(connection_, error.message);
  const auto port = static_cast<std::uint16_t>(port_);
  Answer reply{.status = StatusCode::kBadGateway, .line = "bad gateway"};
  if (answer_to_.audience == AnswerTo::Audience::kBrowser) {
    std::string listening;
    if (core_.parts.listening_ports) {
      for (std::uint16_t open : co_await core_.parts.listening_ports()) {
        listening += fmt::format("{}{}", listening.empty() ? "" : ", ", open);
      }
    }
    reply.page = unreachable_page(port, route_->prefix, listening, answer_to_.method);
  }
  co_return co_await answer(std::move(reply));
}

// ---- The request ------------------------------------------------------------------

// What is there of the body. A fault in it is the failure.
BodyRun Exchange::decode_request() {
  BodyRun run = decode_run(request_body_, client_.input().bytes());
  if (run.fault) {
    rejection_ = *run.fault;
    fail(Failure::kRequestRejected);
  } else if (!run.payload.empty() || request_complete()) {
    awaiting_continue_ = false;
  }
  return run;
}

void Exchange::request_sent() {
  request_deadline_.disarm();
  if (!heard_) response_deadline_.arm(core_.config.response_header_timeout);
}

void Exchange::end_upload() noexcept {
  stop_upload_ = true;
  if (backend_) backend_->reset();
  client_.interrupt();
  upload_signal_.notify();
}

// After the response: what the client still sends no longer matters.
Awaitable<void> Exchange::stop_upload() {
  end_upload();
  while (uploading_)
    co_await upload_ended_.wait();
}

Awaitable<void> Exchange::upload(Upload running, std::string unsent) {
  bool wanted = unsent.empty() || co_await send_on(std::array{as_bytes(unsent)});
  unsent = {};
  if (wanted && awaiting_continue_) co_await await_continue();
  while (wanted && !stop_upload_ && failure_ == Failure::kNone && !request_complete()) {
    if (client_.input().empty()) {
      if (client_.state() != Client::Input::kOpen) {
        fail(Failure::kClientGone);
        break;
      }
      request_stall_ = Failure::kRequestStalled;
      request_deadline_.arm(core_.config.request_silence);
      if (client_.read_more()) co_await client_.input_changed();
      request_deadline_.disarm();
      continue;
    }
    wanted = co_await upload_run();
  }
  request_sent();
  running.in_order();
}

// Sends on what is there of the body. False when there is no point in going on.
Awaitable<bool> Exchange::upload_run() {
  const BodyRun run = decode_request();
  if (run.fault) co_return false;
  BodyParts parts;
  parts.body(run, request_framing_);
  const bool wanted = parts.get().empty() || co_await send_on(parts.get());
  client_.input().consume(run.consumed);
  co_return wanted;
}

// False when the backend takes no more. It may have answered: whoever reads it finds out.
Awaitable<bool> Exchange::send_on(std::span<const Bytes> parts) {
  client_.read_ahead();
  request_stall_ = Failure::kBackendStalled;
  request_deadline_.arm(core_.config.request_silence);
  const Status written = co_await backend_->write(parts);
  request_deadline_.disarm();
  co_return written.has_value();
}

// Holds the body back until the backend says 100 or has been silent for too long.
Awaitable<void> Exchange::await_continue() {
  if (stop_upload_) co_return;
  Deadline limit(core_.deadlines, [this] { upload_signal_.notify(); });
  limit.arm(core_.config.continue_timeout);
  co_await upload_signal_.wait();
  const bool overdue = awaiting_continue_ && !limit.armed();
  awaiting_continue_ = false;
  // The client waits for somebody to speak.
  if (overdue && !heard_ && !stop_upload_ && client_.input().empty()) {
    std::array parts{as_bytes("HTTP/1.1 100 Continue\r\n\r\n")};
    if (client_.write_now(parts) != Client::Written::kAll) fail(Failure::kClientGone);
    sent_continue_ = true;
  }
}

// ---- The response -----------------------------------------------------------------

// The caller commits what was read. No coroutine of its own, as it is on every path.
Awaitable<Result<std::size_t>> Exchange::read_backend() {
  response_.make_room();
  return backend_->read_some(response_.room());
}

Awaitable<After> Exchange::relay() {
  http::ResponseParser& parser = response_head_;
  parser.reset(response_to_);
  for (;;) {
    if (!response_.empty()) {
      auto progress = parser.parse(response_.view());
      if (!progress) co_return co_await answer_failure(progress.error().reason);
      if (*progress == http::Progress::kComplete) {
        if (!parser.head().interim()) break;
        if (!co_await pass_interim(parser.head())) co_return After::kAbort;
        response_.consume(parser.head().size);
        parser.reset(response_to_);
        continue;
      }
    }
    auto n = co_await read_backend();
    response_.commit(n.value_or(0));
    if (!n) co_return co_await answer_failure(n.error().message);
    if (*n == 0) co_return co_await answer_failure("the backend closed before it had answered");
  }
  const http::ResponseHead& head = parser.head();
  heard_ = true;
  response_deadline_.disarm();
  const bool switching = head.status == StatusCode::kSwitchingProtocols;
  if (switching && (upgrading_ != Upgrading::kWebSocket || uploading_ ||
                    !http::has_token(head.fields, http::FieldName::kUpgrade, "websocket"))) {
    co_return co_await answer_failure("the backend switched to a protocol nobody asked for");
  }
  if (hooked_) co_return co_await relay_hooked(head);
  if (switching) co_return co_await tunnel(head);
  const http::BodyFraming framing = client_framing(head.body);
  const ConnectionNote note = note_connection(framing.kind);
  if (core_.logs()) {
    core_.log(connection_, fmt::format("{} from :{}", http::to_number(head.status),
                                       static_cast<std::uint16_t>(port_)));
  }
  begun_ = true;
  std::string_view text = write_response_head(writer_, head, framing, note, core_.clock.now());
  response_.consume(head.size);
  if (!co_await relay_body(text, head.body, framing.kind)) {
    co_return broken_off(framing.kind);
  }
  co_return note == ConnectionNote::kClose ? After::kClose : After::kNextRequest;
}

Awaitable<bool> Exchange::pass_interim(const http::ResponseHead& head) {
  const bool is_continue = head.status == StatusCode::kContinue;
  if (is_continue && awaiting_continue_) {
    awaiting_continue_ = false;
    upload_signal_.notify();
  }
  if (answer_to_.version == http::Version::kHttp10) co_return true;
  if (is_continue && sent_continue_) co_return true;
  std::array parts{as_bytes(write_response_head(writer_, head, {}, ConnectionNote::kNone, {}))};
  co_return co_await send(parts);
}

// What becomes of the connection when a body that is framed like this breaks off.
After Exchange::broken_off(BodyKind framing) const {
  const bool visible = framing == BodyKind::kLength || framing == BodyKind::kChunked;
  return visible && failure_ != Failure::kClientGone ? After::kTruncated : After::kAbort;
}

// How a body that comes framed like this goes to the client.
http::BodyFraming Exchange::client_framing(http::BodyFraming framing) const {
  if (framing.kind == BodyKind::kChunked || framing.kind == BodyKind::kUntilClose) {
    framing.kind =
        answer_to_.version == http::Version::kHttp11 ? BodyKind::kChunked : BodyKind::kUntilClose;
  }
  return framing;
}

// Settles what becomes of the client's connection behind a body framed like this.
ConnectionNote Exchange::note_connection(BodyKind framing) {
  // Bytes behind a handshake that failed are of no protocol that was agreed on.
  const bool reusable = request_complete() && framing != BodyKind::kUntilClose &&
                        (upgrading_ == Upgrading::kNo || client_.input().empty());
  if (!reusable) answer_to_.persistence = http::Persistence::kClose;
  if (answer_to_.persistence == http::Persistence::kClose) return ConnectionNote::kClose;
  return answer_to_.version == http::Version::kHttp10 ? ConnectionNote::kKeepAlive
                                                      : ConnectionNote::kNone;
}

// Relays the body, the head in front of it. False if it broke off on either side.
Awaitable<bool> Exchange::relay_body(std::string_view head_text, http::BodyFraming from,
                                     BodyKind to) {
  http::BodyDecoder body(from, core_.config.limits);
  for (;;) {
    auto run = decode_run(body, response_.bytes());
    BodyParts parts;
    parts.head(std::exchange(head_text, {}));
    parts.body(run, to);
    if (!parts.get().empty()) {
      auto sent = send_now(parts.get());
      if (!sent) sent = co_await finish_sending();
      if (!*sent) co_return false;
    }
    if (run.fault) {
      if (core_.logs()) core_.log(connection_, run.fault->reason);
      co_return false;
    }
    response_.consume(run.consumed);
    if (run.progress == http::Progress::kComplete) co_return true;

    if (core_.config.response_silence.count() > 0) {
      response_deadline_.arm(core_.config.response_silence);
    }
    auto n = co_await read_backend();
    response_.commit(n.value_or(0));
    response_deadline_.disarm();
    if (n && *n > 0) continue;
    if (n && body.end_of_stream()) break;
    if (core_.logs()) core_.log(connection_, "the backend broke off inside the response");
    co_return false;
  }
  // A body that ended with the connection.
  if (to != BodyKind::kChunked) co_return true;
  std::array last{as_bytes(http::kLastChunk)};
  co_return co_await send(last);
}

}  // namespace gondolin::ingress
