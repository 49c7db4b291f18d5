#include "api/run.hpp"

#include <algorithm>
#include <array>
#include <csignal>
#include <string>
#include <utility>

#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>

#include "api/convert.hpp"
#include "api/shared_process.hpp"
#include "api/stop_on_loop.hpp"
#include "io/signal.hpp"

namespace gondolin::api {
namespace {

constexpr std::size_t kReadSize = 32 * 1024;

class Run : public std::enable_shared_from_this<Run> {
 public:
  enum class Ended : std::uint8_t { kByItself, kTimedOut, kCancelled };

  Run(const asio::any_io_executor& executor, RunPlace place, RunOptions options)
      : executor_(executor),
        place_(std::move(place)),
        options_(std::move(options)),
        idle_(executor),
        timer_(executor) {}

  void end(Ended why) {
    if (ended_ != Ended::kByItself) return;
    ended_ = why;
    if (process_) process_->cancel();
  }

  Awaitable<RunResult> run(wire::Spawn program) {
    if (options_.timeout) start_timer();
    start(co_await place_.client.exec(program, start_deadline()));
    while (open_outputs_ > 0)
      co_await idle_.wait();
    if (ended_ == Ended::kByItself) result_.status = co_await process_->ended();
    timer_.cancel();
    // Also ends the feeding of a program that did not read all of its input.
    if (process_) process_->cancel();
    if (ended_ == Ended::kCancelled) {
      throw ApiError(ApiErrorCode::kCancelled, "the run was cancelled");
    }
    if (ended_ == Ended::kTimedOut) {
      result_.timed_out = true;
      result_.status = {.code = 0, .signal = SIGKILL};
    }
    co_return std::move(result_);
  }

 private:
  using Output = SharedProcess::Output;

  // How long the program may take to start.
  [[nodiscard]] std::chrono::milliseconds start_deadline() const {
    using Client = vm::ControlClient;
    return std::min(options_.timeout.value_or(Client::kStartDeadline), Client::kStartDeadline);
  }

  void start_timer() {
    timer_.expires_after(*options_.timeout);
    timer_.async_wait([weak = weak_from_this()](const boost::system::error_code& error) {
      auto self = weak.lock();
      if (self && !error) self->end(Ended::kTimedOut);
    });
  }

  void start(Result<std::unique_ptr<vm::GuestProcess>> started) {
    if (!started && started.error().code == ErrorCode::kTimeout && options_.timeout) {
      return end(Ended::kTimedOut);
    }
    process_ = std::make_shared<SharedProcess>(executor_, place_.closed,
                                               value_or_throw(std::move(started)));
    if (ended_ != Ended::kByItself) return process_->cancel();
    open_outputs_ = 2;
    spawn(executor_, [self = shared_from_this()] { return self->feed(); });
    spawn(executor_, [self = shared_from_this()] {
      return self->collect(Output::kStdout, self->result_.output, self->result_.output_dropped);
    });
    spawn(executor_, [self = shared_from_this()] {
      return self->collect(Output::kStderr, self->result_.errors, self->result_.errors_dropped);
    });
  }

  Awaitable<void> feed() {
    if (!options_.input.empty()) {
      // One that does not read it all is no error, as with a pipe.
      static_cast<void>(co_await process_->write(as_bytes(options_.input)));
    }
    process_->close_input();
  }

  Awaitable<void> collect(Output output, std::string& text, std::uint64_t& dropped) {
    std::array<std::byte, kReadSize> buffer;
    while (std::size_t count = co_await process_->read(output, buffer)) {
      const std::size_t room = options_.max_output_bytes - text.size();
      const std::size_t kept = std::min(count, room);
      text += as_text(Bytes(buffer).first(kept));
      dropped += count - kept;
    }
    --open_outputs_;
    idle_.notify();
  }

  const asio::any_io_executor executor_;
  const RunPlace place_;
  const RunOptions options_;
  RunResult result_;
  std::shared_ptr<SharedProcess> process_;
  Ended ended_ = Ended::kByItself;
  int open_outputs_ = 0;
  Signal idle_;
  asio::steady_timer timer_;
};

}  // namespace

Awaitable<RunResult> run_program(RunPlace place, wire::Spawn program, RunOptions options) {
  const std::stop_token token = options.cancel;
  const std::weak_ptr<LoopThread> loop = place.loop;
  auto run = std::make_shared<Run>(co_await asio::this_coro::executor, std::move(place),
                                   std::move(options));
  StopOnLoop stop(token, loop, [weak = std::weak_ptr(run)] {
    if (auto there = weak.lock()) there->end(Run::Ended::kCancelled);
  });
  co_return co_await run->run(std::move(program));
}

}  // namespace gondolin::api
