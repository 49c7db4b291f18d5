// One request and its response: opens the backend, sends the request on, relays the
// answer.
//
// Two flows run at once. This coroutine reads the backend and writes the client; an
// upload coroutine, started only for what did not come with the head or was not taken
// when the backend was opened, reads the client and writes the backend. Each waits where its
// receiver is slow, so neither holds more than a buffer. They end each other by resetting the
// backend's stream, with `failure_` saying why.
//
// Where memory runs out, either is unwound wherever it is: an Upload, or the Session, then
// ends the other, and what they work with lives until both are gone.
//
// It never half-closes toward the backend before the response has ended (Vite and
// Kestrel take that for a disconnect), and never lets a body that was cut off look
// complete.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "http/body.hpp"
#include "http/head_writer.hpp"
#include "http/request.hpp"
#include "http/response.hpp"
#include "ingress/answer.hpp"
#include "ingress/body_run.hpp"
#include "ingress/buffer.hpp"
#include "ingress/client.hpp"
#include "ingress/core.hpp"
#include "ingress/forwarding.hpp"
#include "ingress/hooks.hpp"
#include "io/deadline.hpp"
#include "io/signal.hpp"

namespace gondolin::ingress {

struct Hooked;

// What becomes of the client's connection.
enum class After : std::uint8_t {
  kNextRequest,
  kClose,      // in order: the client gets to read what was sent
  kTruncated,  // at once, without RST: the framing shows that something is missing
  kAbort,      // at once, with RST
};

// A request that was checked and routed.
struct RoutedRequest {
  const http::RequestHead& head;  // until the head has been sent on
  std::shared_ptr<const Router> router;
  const Route& route;     // of `router`
  std::string_view path;  // normalized; as long as `head`
  Upgrading upgrading = Upgrading::kNo;
};

// What the exchanges of one connection work in, one after the other: kept between them,
// so that none has to allocate it anew.
struct Workspace {
  explicit Workspace(const GatewayConfig& config)
      : response_head(http::ResponseTo::kOther, config.limits), response(config.buffer) {}

  http::HeadWriter writer;
  http::ResponseParser response_head;
  Buffer response;  // from the backend
};

class Exchange {
 public:
  // `owner` keeps all of it alive. `answer_to` has the persistence that the client asked
  // for. `workspace` is this exchange's alone until its end.
  Exchange(std::weak_ptr<const void> owner, Core& core, Client& client, Workspace& workspace,
           std::uint64_t connection, const AnswerTo& answer_to);
  ~Exchange();
  Exchange(const Exchange&) = delete;
  Exchange& operator=(const Exchange&) = delete;

  // Once: sends the request on, and consumes it from the client's input. None: relay()
  // must follow. The two are apart so that few coroutines wait while the backend takes
  // its time.
  [[nodiscard]] Awaitable<std::optional<After>> begin(RoutedRequest request);
  // Relays the answer. While uploading(), stop_upload() must follow.
  [[nodiscard]] Awaitable<After> relay();
  [[nodiscard]] bool uploading() const { return uploading_; }
  [[nodiscard]] Awaitable<void> stop_upload();

  // Whether a byte of the final response may have been sent.
  [[nodiscard]] bool begun() const { return begun_; }

  // The client is gone, or the gateway closes: ends everything soon.
  void give_up() noexcept;
  // begin() or relay() was unwound: ends the backend's stream and the upload.
  void break_off() noexcept;

 private:
  class Upload;

  enum class Failure : std::uint8_t {
    kNone,
    kClientGone,
    kRequestRejected,  // the body's framing
    kRequestStalled,
    kBackendStalled,  // took nothing of the body, or gave no response
    kSilence,         // inside the response
    kOutOfMemory,     // in the upload
  };

  // Both ends.
  void fail(Failure failure) noexcept;
  void on_client_end() noexcept;
  void watch_half_closed() noexcept;
  [[nodiscard]] Awaitable<bool> send(std::span<const Bytes> parts);
  [[nodiscard]] std::optional<bool> send_now(std::span<const Bytes> parts);
  [[nodiscard]] Awaitable<bool> finish_sending();
  [[nodiscard]] bool sent(const Status& status);
  [[nodiscard]] Awaitable<After> answer(Answer answer);
  [[nodiscard]] Awaitable<After> answer_failure(std::string_view why);
  [[nodiscard]] Awaitable<After> answer_unreachable(const Error& error);
  [[nodiscard]] bool request_complete() const { return request_body_.complete(); }

  // The request.
  void take(const RoutedRequest& request);
  [[nodiscard]] BodyRun decode_request();
  [[nodiscard]] Awaitable<void> upload(Upload running, std::string unsent);
  [[nodiscard]] Awaitable<void> await_continue();
  [[nodiscard]] Awaitable<bool> upload_run();
  [[nodiscard]] Awaitable<bool> send_on(std::span<const Bytes> parts);
  void end_upload() noexcept;
  void request_sent();

  // The response.
  [[nodiscard]] Awaitable<bool> pass_interim(const http::ResponseHead& head);
  [[nodiscard]] Awaitable<bool> relay_body(std::string_view head_text, http::BodyFraming from,
                                           http::BodyKind to);
  [[nodiscard]] Awaitable<Result<std::size_t>> read_backend();
  [[nodiscard]] http::BodyFraming client_framing(http::BodyFraming framing) const;
  [[nodiscard]] ConnectionNote note_connection(http::BodyKind framing);
  [[nodiscard]] After broken_off(http::BodyKind framing) const;

  // Hooks (hooked_exchange.cpp).
  [[nodiscard]] Awaitable<std::optional<HookError>> ask_before(const http::RequestHead& head,
                                                               const Forwarding& forwarding);
  [[nodiscard]] std::string_view write_hooked(const http::RequestHead& head,
                                              const Forwarding& forwarding);
  void skip_request();
  [[nodiscard]] Awaitable<After> answer_hook_error(HookError error);
  [[nodiscard]] Awaitable<After> relay_hooked(const http::ResponseHead& original);
  [[nodiscard]] Awaitable<std::optional<HookError>> ask_after(HookResponse& response);
  [[nodiscard]] Awaitable<std::optional<HookError>> buffer_body(http::BodyFraming from,
                                                                std::string& body);
  [[nodiscard]] Awaitable<After> send_content(const http::ResponseHead& head,
                                              const std::string& content);
  [[nodiscard]] Awaitable<After> send_stream(http::ResponseHead head);

  // WebSockets (tunnel.cpp).
  [[nodiscard]] Awaitable<After> tunnel(const http::ResponseHead& head);
  [[nodiscard]] Awaitable<void> tunnel_up(Upload running);
  [[nodiscard]] Awaitable<bool> tunnel_down();

  std::weak_ptr<const void> owner_;
  Core& core_;
  Client& client_;
  std::uint64_t connection_;
  AnswerTo answer_to_;

  // Of the request, kept beyond its head.
  std::shared_ptr<const Router> router_;
  const Route* route_ = nullptr;
  Port port_{};  // the route's, unless a hook chose another
  http::ResponseTo response_to_ = http::ResponseTo::kOther;
  http::BodyKind request_framing_ = http::BodyKind::kNone;
  http::BodyDecoder request_body_{{}};
  Upgrading upgrading_ = Upgrading::kNo;

  std::unique_ptr<Hooked> hooked_;  // null without hooks

  std::unique_ptr<ByteStream> backend_;
  http::HeadWriter& writer_;
  http::ResponseParser& response_head_;
  Buffer& response_;
  Failure failure_ = Failure::kNone;
  http::Rejection rejection_{};  // for kRequestRejected
  bool heard_ = false;           // what the client will be answered is known
  bool begun_ = false;           // a byte of the final response may have been sent

  bool uploading_ = false;
  bool stop_upload_ = false;
  bool awaiting_continue_ = false;  // the body waits for a 100
  bool sent_continue_ = false;      // by ourselves
  Signal upload_signal_;            // wakes the upload in await_continue()
  Signal upload_ended_;

  Deadline request_deadline_;  // a body that stalls, on either side
  Failure request_stall_ = Failure::kRequestStalled;
  Deadline response_deadline_;  // the response's head, then silence within it
  Deadline client_deadline_;    // a client that takes nothing
  Deadline half_closed_deadline_;
};

}  // namespace gondolin::ingress
