// What a program of the guest's does while the host's loop runs, for tests in which both are
// this process.
#pragma once

#include <functional>
#include <thread>

#include <boost/asio/post.hpp>

#include "support.hpp"

namespace gondolin::vm {

// Runs `program` on a thread of its own, and the loop until it has ended.
inline void run_in_guest(Loop& loop, const std::function<void()>& program) {
  bool ended = false;  // the loop's
  std::thread thread([&] {
    program();
    asio::post(loop.executor(), [&] { ended = true; });
  });
  loop.run_until([&] { return ended; });
  thread.join();
  loop.settle();
}

}  // namespace gondolin::vm
