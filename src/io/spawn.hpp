// Starts a coroutine that nobody waits for.
#pragma once

#include <exception>
#include <utility>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/co_spawn.hpp>

#include "io/stream.hpp"

namespace gondolin {

// The end of a coroutine that nobody waits for: an exception leaves the event loop's
// run(). Running out of memory is one that run_loop() survives.
struct LeaveLoop {
  void operator()(const std::exception_ptr& error) const {
    if (error) std::rethrow_exception(error);
  }
};

// Runs `start()`, which returns an Awaitable<void>, on `executor`, beginning in a
// later turn of the loop. The coroutine must keep alive what it uses, so `start`
// captures its owner by shared pointer. Results are values here; an exception that
// gets out is a bug and leaves the event loop's run().
template <typename Start>
void spawn(const asio::any_io_executor& executor, Start start) {
  asio::co_spawn(
      executor, [start = std::move(start)]() -> Awaitable<void> { co_await start(); }, LeaveLoop());
}

}  // namespace gondolin
