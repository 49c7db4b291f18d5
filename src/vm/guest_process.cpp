#include <array>
#include <cerrno>
#include <new>
#include <utility>
#include <variant>

#include "io/spawn.hpp"
#include "vm/guest_process_state.hpp"

namespace gondolin::vm {
namespace {

template <typename... Handlers>
struct Overloaded : Handlers... {
  using Handlers::operator()...;
};

Error spawn_failure(const wire::Failed& failed) {
  auto code = [&] {
    switch (failed.os_error) {
      case ENOENT:
      case ENOTDIR:
        return ErrorCode::kNotFound;
      case EACCES:
      case EPERM:
        return ErrorCode::kRefused;
      default:
        return ErrorCode::kIo;
    }
  };
  return {code(), failed.message, static_cast<int>(failed.os_error)};
}

tl::unexpected<Error> misplaced() {
  return fail(ErrorCode::kProtocol, "sandboxd sent a message that does not belong here");
}

}  // namespace

Awaitable<Result<std::size_t>> EmptyStream::read_some(MutableBytes) {
  co_return 0;
}

Awaitable<Status> EmptyStream::write(std::span<const Bytes>) {
  co_return fail(ErrorCode::kClosed, "the stream cannot be written");
}

// --- the state -----------------------------------------------------------------

GuestProcess::State::State(const asio::any_io_executor& executor, std::unique_ptr<MuxStream> exec,
                           std::unique_ptr<MuxStream> stdio, std::unique_ptr<MuxStream> error)
    : executor_(executor),
      exec_(std::move(exec)),
      stdio_(std::move(stdio)),
      error_(std::move(error)),
      changed_(executor),
      to_send_(executor) {}

void GuestProcess::State::start() {
  spawn(executor_, [self = shared_from_this()] { return self->read_messages(); });
}

ByteStream& GuestProcess::State::error() {
  if (error_) return *error_;
  return no_error_;
}

Awaitable<Status> GuestProcess::State::started() {
  while (!pid_ && !over_)
    co_await changed_.wait();
  if (!pid_) co_return tl::unexpected(*over_);
  // Only now: Spawn is the first message on the stream, and it has been written.
  spawn(executor_, [self = shared_from_this()] { return self->write_messages(); });
  co_return Status{};
}

Awaitable<Result<ExitStatus>> GuestProcess::State::exited() {
  while (!exit_ && !over_)
    co_await changed_.wait();
  if (!exit_) co_return tl::unexpected(*over_);
  co_return *exit_;
}

void GuestProcess::State::resize(wire::TerminalSize size) {
  new_size_ = size;
  to_send_.notify();
}

void GuestProcess::State::signal(std::uint8_t number) {
  if (signals_.size() == kMaxSignals) return;
  signals_.push_back(number);
  to_send_.notify();
}

void GuestProcess::State::cancel() {
  finish({ErrorCode::kCancelled, "the program was cancelled"});
  stdio_->reset();
  error().reset();
}

void GuestProcess::State::finish(Error why) {
  exec_->reset();
  if (!over_) over_ = std::move(why);
  changed_.notify();
  to_send_.notify();
}

// --- messages from the guest ---------------------------------------------------

Awaitable<void> GuestProcess::State::read_messages() {
  std::array<std::byte, 1024> buffer{};
  while (!over_) {
    try {
      auto count = co_await exec_->read_some(buffer);
      if (!count) {
        finish(count.error());
      } else if (*count == 0) {
        finish({ErrorCode::kReset, "sandboxd ended the program's stream"});
      } else if (auto taken = receive(Bytes(buffer.data(), *count)); !taken) {
        finish(taken.error());
      }
    } catch (const std::bad_alloc&) {
      finish({ErrorCode::kLimit, "out of memory"});
    }
  }
  // Nobody will tell any more when the output is complete.
  output_complete();
}

Status GuestProcess::State::receive(Bytes bytes) {
  while (!bytes.empty()) {
    auto used = reader_.feed(bytes);
    if (!used) return tl::unexpected(used.error());
    bytes = bytes.subspan(*used);
    auto message = reader_.next();
    if (!message) return tl::unexpected(message.error());
    if (!*message) continue;
    if (auto handled = handle(**message); !handled) return handled;
  }
  return {};
}

Status GuestProcess::State::handle(const wire::ControlMessage& message) {
  auto ended = [&](ExitStatus status) -> Status {
    if (!pid_ || exit_) return misplaced();
    exit_ = status;
    return {};
  };
  Status handled =
      std::visit(Overloaded{
                     [&](const wire::Started& started) -> Status {
                       if (pid_) return misplaced();
                       pid_ = started.pid;
                       return {};
                     },
                     [&](const wire::Failed& failed) -> Status {
                       if (pid_) return misplaced();
                       return tl::unexpected(spawn_failure(failed));
                     },
                     [&](const wire::Exited& exited) { return ended({.code = exited.code}); },
                     [&](const wire::Signaled& killed) { return ended({.signal = killed.number}); },
                     [&](const wire::Drained&) -> Status {
                       if (!exit_) return misplaced();
                       output_complete();
                       return {};
                     },
                     [](const auto&) -> Status { return misplaced(); },
                 },
                 message);
  changed_.notify();
  return handled;
}

// What the program wrote has arrived; what others in the guest still write to its
// streams is nobody's output.
void GuestProcess::State::output_complete() {
  stdio_->end_after_received();
  if (error_) error_->end_after_received();
}

// --- messages to the guest -----------------------------------------------------

std::optional<wire::ControlMessage> GuestProcess::State::next_to_send() {
  if (new_size_) return wire::Resize{*std::exchange(new_size_, std::nullopt)};
  if (signals_.empty()) return std::nullopt;
  wire::Signal signal{signals_.front()};
  signals_.pop_front();
  return signal;
}

Awaitable<void> GuestProcess::State::write_messages() {
  while (!over_) {
    auto message = next_to_send();
    if (!message) {
      co_await to_send_.wait();
      continue;
    }
    auto encoded = wire::encode_message(*message);
    GONDOLIN_CHECK(encoded.has_value());
    std::array<Bytes, 1> parts{Bytes(*encoded)};
    // A stream that broke off ends this loop through the reading one.
    if (auto written = co_await exec_->write(parts); !written) co_return;
  }
}

// --- the handle ------------------------------------------------------------------

GuestProcess::GuestProcess(std::shared_ptr<State> state) : state_(std::move(state)) {}

GuestProcess::~GuestProcess() {
  state_->cancel();
}

ByteStream& GuestProcess::stdio() {
  return state_->stdio();
}

ByteStream& GuestProcess::error() {
  return state_->error();
}

std::uint32_t GuestProcess::pid() const {
  return state_->pid();
}

void GuestProcess::resize(wire::TerminalSize size) {
  state_->resize(size);
}

void GuestProcess::signal(std::uint8_t number) {
  state_->signal(number);
}

Awaitable<Result<ExitStatus>> GuestProcess::wait() {
  co_return co_await state_->exited();
}

void GuestProcess::cancel() {
  state_->cancel();
}

}  // namespace gondolin::vm
