#include "vm/qmp.hpp"

#include <sys/socket.h>

#include <cerrno>
#include <cstdint>
#include <cstring>
#include <deque>
#include <map>
#include <optional>
#include <string_view>
#include <utility>

#include <boost/asio/buffer.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <nlohmann/json.hpp>

#include "io/deadline.hpp"
#include "io/signal.hpp"
#include "io/spawn.hpp"

namespace gondolin::vm {
namespace {

using nlohmann::json;

// The member `name` of `object` when it is a string.
std::string text_of(const json& object, const char* name) {
  auto found = object.find(name);
  return found != object.end() && found->is_string() ? found->get<std::string>() : std::string();
}

json member(const json& object, const char* name) {
  auto found = object.find(name);
  return found != object.end() ? *found : json();
}

json message_of(const std::string& command, std::uint64_t id, json arguments) {
  json message = {{"execute", command}, {"id", id}};
  if (!arguments.is_null()) message["arguments"] = std::move(arguments);
  return message;
}

// Sends the first byte of `text` with `file` attached.
bool send_with_file(int socket, std::string_view text, const UniqueFd& file) {
  iovec part{.iov_base = const_cast<char*>(text.data()), .iov_len = 1};
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof control;
  cmsghdr* attached = CMSG_FIRSTHDR(&message);
  attached->cmsg_level = SOL_SOCKET;
  attached->cmsg_type = SCM_RIGHTS;
  attached->cmsg_len = CMSG_LEN(sizeof(int));
  int number = file.get();
  std::memcpy(CMSG_DATA(attached), &number, sizeof number);
  return ::sendmsg(socket, &message, MSG_NOSIGNAL) == 1;
}

}  // namespace

// Lives as long as the Qmp, its read loop or a command in progress.
class Qmp::Core : public std::enable_shared_from_this<Core> {
 public:
  Core(const asio::any_io_executor& executor, UniqueFd socket, EventSink on_event)
      : socket_(executor, asio::local::stream_protocol(), socket.release()),
        on_event_(std::move(on_event)),
        deadlines_(executor),
        writable_(executor) {}

  void start() {
    spawn(socket_.get_executor(), [self = shared_from_this()] { return self->read_loop(); });
    spawn(socket_.get_executor(), [self = shared_from_this()] { return self->write_loop(); });
  }

  Awaitable<Result<json>> execute(std::string command, json arguments, UniqueFd file,
                                  std::chrono::milliseconds deadline);

  void post(const std::string& command, json arguments) {
    if (!over_) send(message_of(command, ++last_id_, std::move(arguments)), UniqueFd());
  }

  void close(std::string why) {
    if (over_) return;
    over_ = Error{ErrorCode::kReset, std::move(why), 0};
    on_event_ = nullptr;
    boost::system::error_code ignored;
    socket_.close(ignored);
    for (auto& [id, waiting] : waiting_)
      waiting->changed.notify();
    writable_.notify();
  }

 private:
  struct Outgoing {
    std::string line;
    UniqueFd file;
  };

  // A command in progress; lives in its coroutine, which the end of the loop cuts off.
  struct Waiting {
    explicit Waiting(Core& owner)
        : core(owner), id(++owner.last_id_), changed(owner.socket_.get_executor()) {
      core.waiting_.emplace(id, this);
    }
    Waiting(const Waiting&) = delete;
    Waiting& operator=(const Waiting&) = delete;
    ~Waiting() { core.waiting_.erase(id); }

    Core& core;
    std::uint64_t id;
    std::optional<Result<json>> answer;
    Signal changed;
  };

  Awaitable<void> read_loop();
  Awaitable<void> write_loop();
  void handle_line(std::string_view line);
  void handle_answer(const json& message);
  void send(const json& message, UniqueFd file) {
    outgoing_.push_back({message.dump() + "\n", std::move(file)});
    writable_.notify();
  }

  asio::local::stream_protocol::socket socket_;
  EventSink on_event_;
  DeadlineQueue deadlines_;
  Signal writable_;
  std::deque<Outgoing> outgoing_;
  std::map<std::uint64_t, Waiting*> waiting_;
  std::uint64_t last_id_ = 0;
  bool ready_ = false;  // capabilities were negotiated
  std::optional<Error> over_;
};

Awaitable<Result<json>> Qmp::Core::execute(std::string command, json arguments, UniqueFd file,
                                           std::chrono::milliseconds deadline) {
  if (over_) co_return tl::unexpected(*over_);
  Waiting waiting(*this);
  send(message_of(command, waiting.id, std::move(arguments)), std::move(file));

  Deadline limit(deadlines_, [&] {
    waiting.answer = fail(ErrorCode::kTimeout, "QEMU did not answer " + command + " in time");
    waiting.changed.notify();
  });
  limit.arm(deadline);
  while (!waiting.answer && !over_)
    co_await waiting.changed.wait();
  if (!waiting.answer) co_return tl::unexpected(*over_);
  co_return std::move(*waiting.answer);
}

Awaitable<void> Qmp::Core::read_loop() {
  std::string buffer;
  while (!over_) {
    boost::system::error_code error;
    std::size_t old = buffer.size();
    buffer.resize(old + 4096);
    std::size_t count = co_await socket_.async_receive(
        asio::buffer(buffer.data() + old, 4096), asio::redirect_error(asio::use_awaitable, error));
    buffer.resize(old + count);
    if (error) co_return close("QEMU closed its control connection");
    std::size_t begin = 0;
    for (std::size_t end; !over_ && (end = buffer.find('\n', begin)) != std::string::npos;
         begin = end + 1) {
      handle_line(std::string_view(buffer).substr(begin, end - begin));
    }
    buffer.erase(0, begin);
    if (buffer.size() > kMaxLine) close("QEMU sent a line that is too long");
  }
}

Awaitable<void> Qmp::Core::write_loop() {
  while (!over_) {
    // Commands that come before the greeting wait for it.
    if (outgoing_.empty() || !ready_) {
      co_await writable_.wait();
      continue;
    }
    Outgoing sending = std::move(outgoing_.front());
    outgoing_.pop_front();
    std::string_view line = sending.line;
    boost::system::error_code error;
    if (sending.file.valid()) {
      co_await socket_.async_wait(asio::socket_base::wait_write,
                                  asio::redirect_error(asio::use_awaitable, error));
      if (over_) co_return;
      if (error || !send_with_file(socket_.native_handle(), line, sending.file)) {
        co_return close("QEMU closed its control connection");
      }
      line.remove_prefix(1);
    }
    co_await asio::async_write(socket_, asio::buffer(line),
                               asio::redirect_error(asio::use_awaitable, error));
    if (error) co_return close("QEMU closed its control connection");
  }
}

void Qmp::Core::handle_line(std::string_view line) {
  json message = json::parse(line, nullptr, false);
  if (!message.is_object()) return close("QEMU sent something that is no QMP message");
  if (message.contains("QMP")) {
    if (std::exchange(ready_, true)) return close("QEMU greeted twice");
    outgoing_.push_front({"{\"execute\": \"qmp_capabilities\", \"id\": 0}\n", {}});
    return writable_.notify();
  }
  if (message.contains("event")) {
    auto sink = on_event_;  // it may close the connection, and with that itself
    if (sink) sink(text_of(message, "event"), member(message, "data"));
    return;
  }
  handle_answer(message);
}

void Qmp::Core::handle_answer(const json& message) {
  json id = member(message, "id");
  if (!id.is_number_unsigned()) return close("QEMU sent an answer to no command");
  bool failed = message.contains("error");
  auto found = waiting_.find(id.get<std::uint64_t>());
  if (found == waiting_.end()) {  // one that nobody waits for any more, or the negotiation
    if (failed && id == 0) close("QEMU refused the QMP capabilities");
    return;
  }
  Waiting& waiting = *found->second;
  if (waiting.answer) return;
  if (failed) {
    json error = member(message, "error");
    std::string why = error.is_object() ? text_of(error, "desc") : std::string();
    waiting.answer = fail(ErrorCode::kIo, "QEMU: " + why);
  } else {
    waiting.answer = member(message, "return");
  }
  waiting.changed.notify();
}

Qmp::Qmp(const boost::asio::any_io_executor& executor, UniqueFd socket, EventSink on_event)
    : core_(std::make_shared<Core>(executor, std::move(socket), std::move(on_event))) {
  core_->start();
}

Qmp::~Qmp() {
  core_->close("the control connection was closed");
}

Awaitable<Result<nlohmann::json>> Qmp::execute(std::string command, nlohmann::json arguments,
                                               std::chrono::milliseconds deadline) {
  co_return co_await execute(std::move(command), std::move(arguments), UniqueFd(), deadline);
}

Awaitable<Result<nlohmann::json>> Qmp::execute(std::string command, nlohmann::json arguments,
                                               UniqueFd file, std::chrono::milliseconds deadline) {
  // Holds the core: the Qmp may go while the command is in progress.
  auto core = core_;
  co_return co_await core->execute(std::move(command), std::move(arguments), std::move(file),
                                   deadline);
}

void Qmp::post(const std::string& command, nlohmann::json arguments) {
  core_->post(command, std::move(arguments));
}

void Qmp::close() {
  core_->close("the control connection was closed");
}

}  // namespace gondolin::vm
