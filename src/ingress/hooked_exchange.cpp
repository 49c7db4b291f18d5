// Exchanges that hooks look at: the questions before a request goes out and before
// its response goes back, and sending what became of that.
//
// A hook may take its time: only its own exchange waits, while the client's input
// is read ahead so that a client that leaves ends the wait.

#include <algorithm>
#include <array>
#include <utility>

#include <fmt/format.h>

#include "ingress/body_parts.hpp"
#include "ingress/body_run.hpp"
#include "ingress/exchange.hpp"
#include "ingress/hooked.hpp"
#include "ingress/hooked_message.hpp"

namespace gondolin::ingress {

using http::BodyKind;
using http::StatusCode;

namespace {

// A content is sent in pieces, so that a slow client's deadline is that of a piece.
constexpr std::size_t kPiece = 64 * 1024;

// The value is not looked at where the client is gone: Exchange::failure_ tells.
HookError abandoned() {
  return std::string("nobody waits for it any more");
}

bool is_bodyless(StatusCode status) {
  return status == StatusCode::kNoContent || status == StatusCode::kNotModified;
}

}  // namespace

Awaitable<std::optional<HookError>> Exchange::ask_before(const http::RequestHead& head,
                                                         const Forwarding& forwarding) {
  const Hooks& hooks = core_.parts.hooks;
  HookRequest& request = hooked_->request;
  request = hook_request(head, forwarding);
  client_.read_ahead();
  if (hooks.is_allowed) {
    auto allowed = co_await hooked_->call.ask<bool>(
        [&](HookAnswer<bool> answer) { hooks.is_allowed(request, std::move(answer)); });
    if (!allowed) co_return abandoned();
    if (!*allowed) co_return std::move(allowed->error());
    if (!**allowed) co_return Blocked{.message = "not allowed", .reason = {}, .body = {}};
  }
  request.fields = backend_fields(head, forwarding);
  if (hooks.on_request) {
    auto patch = co_await hooked_->call.ask<RequestPatch>(
        [&](HookAnswer<RequestPatch> answer) { hooks.on_request(request, std::move(answer)); });
    if (!patch) co_return abandoned();
    if (!*patch) co_return std::move(patch->error());
    if (Verdict applied = apply_patch(**patch, upgrading_, request); !applied) {
      co_return std::move(applied.error());
    }
    hooked_->buffering = (*patch)->buffering.value_or(hooked_->buffering);
    hooked_->max_buffered = (*patch)->max_buffered.value_or(hooked_->max_buffered);
  }
  port_ = request.backend_port;
  response_to_ = http::response_to(request.method);
  co_return std::nullopt;
}

std::string_view Exchange::write_hooked(const http::RequestHead& head,
                                        const Forwarding& forwarding) {
  return write_hooked_head(writer_, hooked_->request, head, forwarding);
}

// What is here already of the body of a request that goes nowhere: where that is all,
// the connection can stay.
void Exchange::skip_request() {
  auto run = decode_run(request_body_, client_.input().bytes());
  client_.input().consume(run.consumed);
}

Awaitable<After> Exchange::answer_hook_error(HookError error) {
  if (failure_ != Failure::kNone) co_return co_await answer_failure("");
  HookRefusal refusal = refusal_of(error);
  if (core_.logs()) core_.log(connection_, refusal.reason);
  co_return co_await answer(std::move(refusal.answer));
}

// `original` views response_.
Awaitable<After> Exchange::relay_hooked(const http::ResponseHead& original) {
  if (original.fields.find(http::FieldName::kDate) == nullptr) hooked_->date = core_.clock.now();
  HookResponse response = hook_response(original);
  http::ResponseHead head = head_of({}, original);
  const bool switching = original.status == StatusCode::kSwitchingProtocols;
  if (!switching) {
    response_.consume(original.size);
    if (hooked_->buffering == Buffering::kYes && original.body.kind != BodyKind::kNone) {
      auto error = co_await buffer_body(head.body, response.body.emplace());
      if (error) co_return co_await answer_hook_error(*std::move(error));
    }
  }
  if (core_.parts.hooks.on_response) {
    if (auto error = co_await ask_after(response)) {
      co_return co_await answer_hook_error(*std::move(error));
    }
  }
  if (failure_ != Failure::kNone) co_return co_await answer_failure("");
  head = head_of(response, head);
  if (head.status == StatusCode::kSwitchingProtocols) co_return co_await tunnel(head);
  // A handshake that a hook turned down has no body to relay.
  if (switching && !response.body) response.body.emplace();
  begun_ = true;
  if (response.body) co_return co_await send_content(head, *response.body);
  co_return co_await send_stream(std::move(head));
}

Awaitable<std::optional<HookError>> Exchange::ask_after(HookResponse& response) {
  auto patch = co_await hooked_->call.ask<ResponsePatch>([&](HookAnswer<ResponsePatch> answer) {
    core_.parts.hooks.on_response(response, hooked_->request, std::move(answer));
  });
  if (!patch) co_return abandoned();
  if (!*patch) co_return std::move(patch->error());
  Verdict applied = apply_patch(**patch, response);
  if (!applied) co_return std::move(applied.error());
  co_return std::nullopt;
}

// Reads the whole body. What goes wrong on the way is the backend's fault, unless
// failure_ says whose else.
Awaitable<std::optional<HookError>> Exchange::buffer_body(http::BodyFraming from,
                                                          std::string& body) {
  http::BodyDecoder decoder(from, core_.config.limits);
  for (;;) {
    auto run = decode_run(decoder, response_.bytes());
    if (run.fault) co_return std::string(run.fault->reason);
    if (run.payload.size() > hooked_->max_buffered - body.size()) {
      co_return fmt::format("a body to buffer is larger than {} bytes", hooked_->max_buffered);
    }
    body.append(run.payload);
    response_.consume(run.consumed);
    if (run.progress == http::Progress::kComplete) co_return std::nullopt;

    if (core_.config.response_silence.count() > 0) {
      response_deadline_.arm(core_.config.response_silence);
    }
    auto n = co_await read_backend();
    response_.commit(n.value_or(0));
    response_deadline_.disarm();
    if (n && *n > 0) continue;
    if (n && decoder.end_of_stream()) co_return std::nullopt;
    co_return std::string("the backend broke off inside the response");
  }
}

// Sends a response whose body is all here, in place of what else the backend sends.
Awaitable<After> Exchange::send_content(const http::ResponseHead& head,
                                        const std::string& content) {
  http::ResponseHead told = head;
  told.content_length = content.size();
  if (head.status == StatusCode::kNoContent) told.content_length.reset();
  const bool bodyless = is_bodyless(head.status) || answer_to_.method == AnswerTo::Method::kHead;
  http::BodyFraming framing;
  if (!bodyless) framing = {.kind = BodyKind::kLength, .length = content.size()};
  const ConnectionNote note = note_connection(framing.kind);
  std::string_view text = write_response_head(writer_, told, framing, note, hooked_->date);
  std::string_view rest = bodyless ? std::string_view() : content;
  do {
    std::array parts{as_bytes(std::exchange(text, {})), as_bytes(rest.substr(0, kPiece))};
    if (!co_await send(parts)) co_return After::kAbort;
    rest.remove_prefix(std::min(rest.size(), kPiece));
  } while (!rest.empty());
  co_return note == ConnectionNote::kClose ? After::kClose : After::kNextRequest;
}

// Sends the head and relays the body behind it, where the client is to have one: a
// hook may have made a response of one that cannot have a body, or the other way.
Awaitable<After> Exchange::send_stream(http::ResponseHead head) {
  http::BodyFraming framing = client_framing(head.body);
  if (is_bodyless(head.status) || answer_to_.method == AnswerTo::Method::kHead) {
    if (head.status == StatusCode::kNoContent) head.content_length.reset();
    framing = {};
  } else if (head.body.kind == BodyKind::kNone) {
    framing = {.kind = BodyKind::kLength, .length = 0};
  }
  const ConnectionNote note = note_connection(framing.kind);
  std::string_view text = write_response_head(writer_, head, framing, note, hooked_->date);
  if (framing.kind == BodyKind::kNone) head.body = {};
  if (!co_await relay_body(text, head.body, framing.kind)) co_return broken_off(framing.kind);
  co_return note == ConnectionNote::kClose ? After::kClose : After::kNextRequest;
}

}  // namespace gondolin::ingress
