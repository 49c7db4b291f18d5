// Hooks: what a program has to say about each request that comes through ingress,
// and about each response. See docs/hooks.md.
//
// A hook decides what is sent, never how it is framed: what it returns is checked,
// and where it cannot be sent as asked (a line break in a value, a host that is not
// the loopback) the client is answered 502 and the debug log (topic "ingress") says
// why. The same goes for a hook that throws. Fields of the connection and of framing
// (Connection, Content-Length, Transfer-Encoding, ...; RFC 9110 7.6.1) are the
// gateway's own: changes to them are ignored.
//
// Standard library only.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <functional>
#include <memory>
#include <new>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "gondolin/export.hpp"
#include "gondolin/route.hpp"

namespace gondolin {

// A field of a message, its bytes as they came; names compare without regard to case.
struct IngressHeader {
  std::string name;   // as it came: "content-type", "Content-Type"
  std::string value;  // without blanks around it

  bool operator==(const IngressHeader&) const = default;
};

// All fields of that name are replaced by these, in the place of the first; no values
// remove them.
struct IngressHeaderChange {
  std::string name;                 // of all fields that are replaced
  std::vector<std::string> values;  // one field each
};

// A request that was routed.
struct GONDOLIN_API IngressRequest {
  std::string client_ip;  // without brackets; IPv4 mapped into IPv6 as IPv4
  std::string method;     // case matters
  // As it was routed, dot segments removed, with its query: "/api/users?x=1". Nothing
  // else is decoded: compare with care ("/%61dmin" is another path than "/admin" here,
  // and the same to most servers).
  std::string path;
  // For is_allowed the client's own; for on_request those that are to be sent on, with
  // X-Forwarded-For and so on; for on_response those that were.
  std::vector<IngressHeader> headers;
  IngressRoute route;  // the one that was picked
  // Where it goes.
  std::string backend_host;
  std::uint16_t backend_port = 0;  // the route's
  std::string backend_target;      // path and query, without the route's prefix if it is stripped

  // The value of the first field of that name, none if there is no such field. Valid
  // while `headers` stays as it is.
  [[nodiscard]] std::optional<std::string_view> header(std::string_view name) const;
};

// What to change of a request; by default nothing.
struct GONDOLIN_API IngressRequestPatch {
  std::optional<std::string> method;  // a token, not CONNECT; GET for WebSockets
  // "127.0.0.1", "::1" or "localhost", which all mean the loopback of the guest (or of
  // this machine, for open_gateway()): 127.0.0.1 is tried first, then ::1.
  std::optional<std::string> backend_host;
  std::optional<std::uint16_t> backend_port;  // 1 to 65535
  std::optional<std::string> backend_target;  // begins with "/", holds no blank and no "#"
  std::vector<IngressHeaderChange> headers;   // made in order
  // In place of IngressOptions's, for the response to this request.
  std::optional<bool> buffer_response_body;
  std::optional<std::size_t> max_buffered_response_body_bytes;  // as there

  // Adds a change to `headers`: one field of that name, this one.
  void set_header(std::string name, std::string value);
  // Adds a change to `headers`: no field of that name.
  void remove_header(std::string name);
};

// A final response as the backend sent it.
struct GONDOLIN_API IngressResponse {
  unsigned status = 0;                 // 101 for a WebSocket that is about to open, else 200 to 999
  std::string status_message;          // may be empty
  std::vector<IngressHeader> headers;  // the backend's
  // The whole body, if it was buffered; as it was sent, so compressed if the client and
  // the backend agreed on that. None where there is none: HEAD, 204, 304.
  std::optional<std::string> body;

  // As IngressRequest::header().
  [[nodiscard]] std::optional<std::string_view> header(std::string_view name) const;
};

// What to change of a response; by default nothing, and its body streams through.
struct GONDOLIN_API IngressResponsePatch {
  std::optional<unsigned> status;             // 200 to 999
  std::optional<std::string> status_message;  // none: the status's own, if that changes
  std::vector<IngressHeaderChange> headers;   // made in order
  // Sent in place of the backend's body, buffered or not, with its Content-Length. Not
  // sent with 204 and 304 and in answer to HEAD.
  std::optional<std::string> body;

  // Adds a change to `headers`: one field of that name, this one.
  void set_header(std::string name, std::string value);
  // Adds a change to `headers`: no field of that name.
  void remove_header(std::string name);
};

// Thrown by a hook, or given to HookReply::fail(): the client is answered with this.
// is_allowed and on_request refuse the request so, on_response the response.
class GONDOLIN_API IngressRequestBlockedError : public std::runtime_error {
 public:
  // `message` is for the debug log alone. `status` is 400 to 599. An empty
  // `status_message` stands for the status's own. `body` is sent as text/plain, byte by
  // byte; without one the gateway writes what it does for that status ("forbidden\n", or
  // a page for a browser).
  explicit IngressRequestBlockedError(const std::string& message, unsigned status = 403,
                                      std::string status_message = {},
                                      std::optional<std::string> body = std::nullopt)
      : std::runtime_error(message),
        status_(status),
        status_message_(std::move(status_message)),
        body_(std::move(body)) {}

  // As given to the constructor.
  [[nodiscard]] unsigned status() const { return status_; }
  // As given to the constructor.
  [[nodiscard]] const std::string& status_message() const { return status_message_; }
  // As given to the constructor.
  [[nodiscard]] const std::optional<std::string>& body() const { return body_; }

 private:
  unsigned status_;
  std::string status_message_;
  std::optional<std::string> body_;
};

// A hook's answer, or the exception in place of one.
template <typename T>
using HookOutcome = std::variant<T, std::exception_ptr>;

// How an asynchronous hook answers: once, from any thread, now or later, whether the
// client, the gateway or the VM still is or not. Further answers do nothing. Copies
// answer the same question; when the last one is destroyed and none has answered, that
// is a failure, and the client is answered 502.
template <typename T>
class HookReply {
 public:
  // `sink` gets the outcome, once, on the thread that answers, and must not throw.
  // Programs make one only to test their own hooks.
  explicit HookReply(std::function<void(HookOutcome<T>)> sink)
      : question_(std::make_shared<Question>(std::move(sink))) {}

  // Answers.
  void answer(T value) const { question_->settle(std::move(value)); }
  // `error` is not null; an IngressRequestBlockedError refuses, any other is a failure.
  void fail(std::exception_ptr error) const { question_->settle(std::move(error)); }

 private:
  class Question {
   public:
    explicit Question(std::function<void(HookOutcome<T>)> sink) : sink_(std::move(sink)) {}
    Question(const Question&) = delete;
    Question& operator=(const Question&) = delete;
    ~Question() {
      if (settled_) return;
      try {
        settle(std::make_exception_ptr(std::runtime_error("it was dropped without an answer")));
      } catch (const std::bad_alloc&) {
        settle(std::current_exception());
      }
    }
    void settle(HookOutcome<T> outcome) {
      if (!settled_.exchange(true)) sink_(std::move(outcome));
    }

   private:
    std::function<void(HookOutcome<T>)> sink_;
    std::atomic<bool> settled_ = false;
  };

  std::shared_ptr<Question> question_;
};

// The hooks, each in two forms of which at most one may be set.
//
// The plain form returns its answer, or throws. It may block: it is called on a thread
// of a pool that grows as needed, up to `max_threads`; several calls may run at once.
//
// The `async_` form is called on the gateway's thread, which serves all connections: it
// must return at once, and answer then or later through its HookReply. What it throws
// counts as fail().
//
// However long a hook takes, only its own request waits, and no deadline of the gateway
// applies; a client that leaves ends the wait, and the answer is then ignored. No hook
// may call the Ingress or the Vm it belongs to, or destroy it.
struct IngressHooks {
  // Whether the request may come in: false is answered 403. Asked first.
  std::function<bool(const IngressRequest&)> is_allowed;
  // The same.
  std::function<void(IngressRequest, HookReply<bool>)> async_is_allowed;

  // Changes the request before it goes to the backend.
  std::function<IngressRequestPatch(const IngressRequest&)> on_request;
  // The same.
  std::function<void(IngressRequest, HookReply<IngressRequestPatch>)> async_on_request;

  // Changes the response before it goes to the client; the request is the one that the
  // backend got. Asked once per response of a backend: not for interim responses (1xx)
  // but 101, nor for what the gateway answers itself.
  std::function<IngressResponsePatch(const IngressResponse&, const IngressRequest&)> on_response;
  // The same.
  std::function<void(IngressResponse, IngressRequest, HookReply<IngressResponsePatch>)>
      async_on_response;

  // Threads for hooks of the plain form, 1 to 1,024; as many of them can block at once
  // before another one has to wait. None is started before it is needed.
  unsigned max_threads = 64;
};

}  // namespace gondolin
