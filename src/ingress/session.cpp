#include "ingress/session.hpp"

#include <array>
#include <utility>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <fmt/format.h>

#include "http/forward.hpp"
#include "http/websocket.hpp"
#include "ingress/router.hpp"

namespace gondolin::ingress {

using http::StatusCode;

namespace {

constexpr std::string_view kMethods = "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS";

Answer method_not_allowed() {
  return {.status = StatusCode::kMethodNotAllowed, .line = "method not allowed", .allow = kMethods};
}

AnswerTo::Method answer_method(std::string_view method) {
  if (method == "GET") return AnswerTo::Method::kGet;
  return method == "HEAD" ? AnswerTo::Method::kHead : AnswerTo::Method::kOther;
}

// To a request that was to come this far and no further.
Answer last_hop(const http::RequestHead& head) {
  if (head.method == "TRACE") return method_not_allowed();
  return {.status = StatusCode::kOk, .line = "gondolin ingress", .allow = kMethods};
}

}  // namespace

void Core::log(std::uint64_t connection, std::string_view message) const {
  parts.log.line(DebugTopic::kIngress, fmt::format("#{} {}", connection, message));
}

Session::Session(std::shared_ptr<Core> core, asio::ip::tcp::socket socket, Admission admission)
    : core_(std::move(core)),
      id_(++core_->last_connection),
      admission_(admission),
      client_(std::make_shared<Client>(std::move(socket), core_->config.buffer)),
      parser_(core_->config.limits),
      workspace_(core_->config),
      deadline_(core_->deadlines, [this] {
        timed_out_ = true;
        client_->interrupt();
      }) {
  core_->sessions.insert(this);
}

Session::~Session() {
  core_->sessions.erase(this);
  if (core_->sessions.empty() && core_->on_last_session_end) core_->on_last_session_end();
}

void Session::start() {
  asio::co_spawn(
      core_->parts.executor, [self = shared_from_this()] { return self->run(); },
      asio::detached);  // an exception has ended this connection, see Ending
}

void Session::abort() noexcept {
  client_->abort();
  if (exchange_) exchange_->give_up();
}

// The end of run(), in whichever way: where memory runs out its coroutine is unwound, by an
// exception or, at any of its waits, by the loop.
class Session::Ending {
 public:
  explicit Ending(Session& session) : session_(session) {}
  Ending(const Ending&) = delete;
  Ending& operator=(const Ending&) = delete;
  ~Ending() {
    if (!in_order_) session_.break_off();
  }
  void in_order() { in_order_ = true; }

 private:
  Session& session_;
  bool in_order_ = false;
};

void Session::break_off() noexcept {
  deadline_.disarm();
  const bool unanswered = !idle_ && !answered_ && (!exchange_ || !exchange_->begun());
  if (exchange_) exchange_->break_off();
  if (unanswered) {
    std::array parts{as_bytes(kOutOfMemoryAnswer)};
    if (client_->write_now(parts) == Client::Written::kAll) return client_->close();
  }
  client_->abort();
}

Awaitable<void> Session::run() {
  Ending ending(*this);
  After after = After::kNextRequest;
  if (admission_ == Admission::kTooMany) after = co_await refuse();
  while (after == After::kNextRequest) {
    auto over = co_await read_head();
    if (!over) over = co_await begin_exchange();
    after = over ? *over : co_await exchange_->relay();
    if (exchange_ && exchange_->uploading()) co_await exchange_->stop_upload();
    exchange_.reset();
    idle_ = true;
  }
  deadline_.disarm();
  switch (after) {
    case After::kNextRequest:
    case After::kClose:
      co_await linger();
      client_->close();
      break;
    case After::kTruncated:
      client_->close();
      break;
    case After::kAbort:
      client_->abort();
      break;
  }
  ending.in_order();
}

Awaitable<After> Session::refuse() {
  if (core_->logs()) core_->log(id_, "too many connections");
  idle_ = false;
  co_return co_await answer_early(
      {.status = StatusCode::kServiceUnavailable, .line = "too many connections"}, {});
}

// An answer without an exchange: to a head that is bad, late or not to be forwarded.
Awaitable<After> Session::answer_early(const Answer& answer, AnswerTo to) {
  if (core_->logs()) {
    core_->log(id_, fmt::format("{} {}", http::to_number(answer.status), answer.line));
  }
  std::string text = write_answer(answer, to);
  std::array parts{as_bytes(text)};
  answered_ = true;
  Client::Written written = client_->write_now(parts);
  if (written == Client::Written::kPart) {
    Deadline stall(core_->deadlines, [this] { client_->abort(); });
    stall.arm(core_->config.client_stall);
    if (co_await client_->finish_write()) written = Client::Written::kAll;
  }
  if (written != Client::Written::kAll) co_return After::kAbort;
  co_return to.persistence == http::Persistence::kKeepAlive ? After::kNextRequest : After::kClose;
}

Awaitable<std::optional<After>> Session::read_head() {
  parser_.reset();
  timed_out_ = false;
  idle_ = true;
  answered_ = false;
  // A new connection is given as long as a head; one that is kept alive may rest.
  deadline_.arm(first_request_ ? core_->config.request_header_timeout : core_->config.idle_timeout);
  bool head_timed = std::exchange(first_request_, false);
  for (;;) {
    if (!client_->input().empty()) {
      auto progress = parser_.parse(client_->input().view());
      if (!progress) {
        idle_ = false;
        if (core_->logs()) core_->log(id_, progress.error().reason);
        StatusCode status = progress.error().status;
        co_return co_await answer_early(
            {.status = status, .line = std::string(default_line(status))}, answer_to_partial());
      }
      if (*progress == http::Progress::kComplete) break;
      if (parser_.started() && !head_timed) {
        deadline_.arm(core_->config.request_header_timeout);
        head_timed = true;
      }
      idle_ = !parser_.started();
    }
    if (timed_out_) {
      if (!parser_.started()) co_return After::kClose;
      co_return co_await answer_early(
          {.status = StatusCode::kRequestTimeout, .line = "request timeout"}, answer_to_partial());
    }
    if (client_->state() != Client::Input::kOpen) co_return After::kClose;
    if (client_->read_more()) co_await client_->input_changed();
  }
  deadline_.disarm();
  idle_ = false;
  co_return std::nullopt;
}

// For the answer to a head that is bad or late, from what there is of it.
AnswerTo Session::answer_to_partial() const {
  const auto known = parser_.partial(client_->input().view());
  return {.audience = audience_of(known.fields), .method = answer_method(known.method)};
}

std::optional<Answer> Session::check(const http::RequestHead& head) const {
  if (head.target.form == http::TargetForm::kAuthority) return method_not_allowed();
  // Only HTTP/1.0 may name no host at all, which no browser does.
  const bool named = head.fields.find(http::FieldName::kHost) != nullptr;
  if (named && !core_->policy.allows_host(head.authority)) {
    return Answer{.status = StatusCode::kMisdirectedRequest,
                  .line = fmt::format("host not allowed: {} is no name of this machine's loopback; "
                                      "to allow it, start the gateway with --ingress-host NAME",
                                      head.authority.empty() ? "an empty one" : head.authority)};
  }
  if (http::hops_left(head) == 0) return last_hop(head);
  if (head.upgrade != http::UpgradeRequest::kWebSocket) return std::nullopt;
  if (core_->config.websockets == WebSockets::kDisabled) {
    return Answer{.status = StatusCode::kNotImplemented, .line = "websocket upgrades disabled"};
  }
  if (auto valid = http::check_websocket_handshake(head); !valid) {
    if (core_->logs()) core_->log(id_, valid.error().reason);
    return Answer{.status = valid.error().status,
                  .line = std::string(default_line(valid.error().status))};
  }
  for (const http::Field& origin : head.fields.all(http::FieldName::kOrigin)) {
    if (core_->policy.allows_origin(origin.value, head.authority)) continue;
    return Answer{.status = StatusCode::kForbidden,
                  .line =
                      "forbidden: the page that opens this WebSocket is of another host; "
                      "to allow it, start the gateway with --ingress-host NAME"};
  }
  return std::nullopt;
}

Answer Session::no_route(std::string_view path, const AnswerTo& to) const {
  Answer answer{.status = StatusCode::kNotFound, .line = "no route"};
  if (to.audience != AnswerTo::Audience::kBrowser) return answer;
  const RouteTable& table = core_->parts.routes;
  answer.page =
      no_route_page(path, describe_routes(*table.router()), table.error().value_or(""), to.method);
  return answer;
}

Awaitable<std::optional<After>> Session::begin_exchange() {
  const http::RequestHead& head = parser_.head();
  if (core_->logs()) {
    core_->log(id_, fmt::format("{} {} {}", client_->address(), head.method, head.target.text));
  }
  AnswerTo to{.audience = audience_of(head.fields),
              .method = answer_method(head.method),
              .version = head.version,
              .persistence = head.persistence};
  std::optional<Answer> refusal = check(head);
  std::shared_ptr<const Router> router = core_->parts.routes.router();
  std::string_view path = normalizer_.normalize(head.target.path);
  const Route* route = refusal ? nullptr : router->match(path);
  if (!refusal && route == nullptr) refusal = no_route(path, to);
  if (refusal) {
    // A body that nobody wants, or what follows CONNECT, is not to be waded through.
    const bool bodiless = head.body.kind == http::BodyKind::kNone ||
                          (head.body.kind == http::BodyKind::kLength && head.body.length == 0);
    if (!bodiless || head.target.form == http::TargetForm::kAuthority) {
      to.persistence = http::Persistence::kClose;
    }
    client_->input().consume(head.size);
    co_return co_await answer_early(*refusal, to);
  }

  exchange_.emplace(weak_from_this(), *core_, *client_, workspace_, id_, to);
  const Upgrading upgrading =
      head.upgrade == http::UpgradeRequest::kWebSocket ? Upgrading::kWebSocket : Upgrading::kNo;
  co_return co_await exchange_->begin({.head = head,
                                       .router = std::move(router),
                                       .route = *route,
                                       .path = path,
                                       .upgrading = upgrading});
}

Awaitable<void> Session::linger() {
  client_->shutdown_write();
  timed_out_ = false;
  deadline_.arm(core_->config.linger);
  std::size_t discarded = 0;
  while (client_->state() == Client::Input::kOpen && !timed_out_ && client_->is_open() &&
         discarded < core_->config.linger_bytes) {
    discarded += client_->input().size();
    client_->input().consume(client_->input().size());
    if (client_->read_more()) co_await client_->input_changed();
  }
  deadline_.disarm();
}

}  // namespace gondolin::ingress
