// One client connection: reads request heads one after another, decides what each
// may do, and answers it or hands it to an Exchange.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "http/path.hpp"
#include "http/request.hpp"
#include "ingress/answer.hpp"
#include "ingress/client.hpp"
#include "ingress/core.hpp"
#include "ingress/exchange.hpp"
#include "io/deadline.hpp"

namespace gondolin::ingress {

// Kept alive by its own coroutine; `core.sessions` has it while it lives.
class Session : public std::enable_shared_from_this<Session> {
 public:
  enum class Admission : std::uint8_t { kServe, kTooMany };

  Session(std::shared_ptr<Core> core, asio::ip::tcp::socket socket, Admission admission);
  ~Session();
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  void start();
  // Breaks the connection off; the coroutine ends in the loop's next turns.
  void abort() noexcept;
  // Whether no request is in progress, so that closing costs nobody anything.
  [[nodiscard]] bool idle() const { return idle_; }

 private:
  class Ending;

  [[nodiscard]] Awaitable<void> run();
  // Ends everything at once, where memory ran out: the client is told so if it has not been
  // answered, and what still works on its request finds that it is over.
  void break_off() noexcept;
  [[nodiscard]] Awaitable<After> refuse();
  // Answers the head in parser_, or begins an exchange for it. None: it goes on.
  [[nodiscard]] Awaitable<std::optional<After>> begin_exchange();
  [[nodiscard]] Awaitable<After> answer_early(const Answer& answer, AnswerTo to);
  [[nodiscard]] AnswerTo answer_to_partial() const;
  // Reads until parser_ has a head. None: a head is there.
  [[nodiscard]] Awaitable<std::optional<After>> read_head();
  // The client gets to read the answer although it may still be sending.
  [[nodiscard]] Awaitable<void> linger();

  // What the gateway answers to a request that is not to be forwarded.
  [[nodiscard]] std::optional<Answer> check(const http::RequestHead& head) const;
  [[nodiscard]] Answer no_route(std::string_view path, const AnswerTo& to) const;

  std::shared_ptr<Core> core_;
  std::uint64_t id_;
  Admission admission_;
  const std::shared_ptr<Client> client_;
  http::RequestParser parser_;
  http::PathNormalizer normalizer_;
  Workspace workspace_;
  Deadline deadline_;  // of heads, idleness and lingering
  bool timed_out_ = false;
  bool idle_ = true;
  bool first_request_ = true;
  bool answered_ = false;  // by ourselves, at least in part
  // The one in progress; here and not in a coroutine, whose frame it would make too large
  // for Asio's cache of frames.
  std::optional<Exchange> exchange_;
};

}  // namespace gondolin::ingress
