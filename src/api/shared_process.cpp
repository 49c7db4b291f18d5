#include "api/shared_process.hpp"

#include <utility>

#include "api/convert.hpp"
#include "io/signal.hpp"

namespace gondolin::api {
namespace {

// Sets a flag for as long as an operation is in progress.
class Busy {
 public:
  Busy(bool& flag, const char* what) : flag_(flag) {
    if (flag_) throw ApiError(ApiErrorCode::kInvalidArgument, what);
    flag_ = true;
  }
  Busy(const Busy&) = delete;
  Busy& operator=(const Busy&) = delete;
  ~Busy() { flag_ = false; }

 private:
  bool& flag_;
};

}  // namespace

Awaitable<std::size_t> SharedProcess::read(Output output, MutableBytes buffer) {
  Busy busy(reading_[static_cast<std::size_t>(output)], "the stream is being read already");
  auto count = co_await stream(output).read_some(buffer);
  // A stream that broke off has no more to give; waiting for the end says what happened.
  co_return count ? *count : 0;
}

Awaitable<bool> SharedProcess::write(Bytes bytes) {
  Busy busy(writing_, "the program's stdin is being written already");
  if (input_ends_) co_return false;
  bool taken = (co_await process_->stdio().write(std::span(&bytes, 1))).has_value();
  if (input_ends_) process_->stdio().shutdown_write();
  co_return taken;
}

void SharedProcess::close_input() {
  if (std::exchange(input_ends_, true)) return;
  if (!writing_) process_->stdio().shutdown_write();
}

void SharedProcess::wait(Promise<ExitStatus> promise) {
  if (exit_) {
    promise.settle(*exit_);
    return;
  }
  waiters_.push_back(std::move(promise));
  if (std::exchange(watching_, true)) return;
  spawn(executor_, [self = shared_from_this()] { return self->watch(); });
}

Awaitable<void> SharedProcess::watch() {
  auto status = co_await process_->wait();
  if (status) {
    tell(ExitStatus{.code = status->code, .signal = status->signal});
  } else if (*closed_) {
    tell(closed_error());
  } else {
    tell(ApiError(to_api_code(status.error().code), status.error().message));
  }
}

void SharedProcess::tell(Outcome<ExitStatus> exit) {
  if (exit_) return;
  exit_.emplace(std::move(exit));
  for (Promise<ExitStatus>& each : std::exchange(waiters_, {}))
    each.settle(*exit_);
}

Awaitable<ExitStatus> SharedProcess::ended() {
  struct Answer {
    explicit Answer(const asio::any_io_executor& executor) : changed(executor) {}
    Signal changed;
    std::optional<Outcome<ExitStatus>> outcome;
  };
  auto answer = std::make_shared<Answer>(executor_);
  wait(Promise<ExitStatus>([answer](Outcome<ExitStatus> exit) {
    answer->outcome.emplace(std::move(exit));
    answer->changed.notify();
  }));
  while (!answer->outcome)
    co_await answer->changed.wait();
  co_return std::move(*answer->outcome).value();
}

void SharedProcess::cancel() {
  process_->cancel();
  tell(ApiError(ApiErrorCode::kCancelled, "the program was killed"));
}

}  // namespace gondolin::api
