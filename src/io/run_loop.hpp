// Runs an event loop until it is stopped, whatever memory runs out on the way.
#pragma once

#include <new>

#include <boost/asio/io_context.hpp>

namespace gondolin {

// A handler for which memory ran out is lost, with whatever it was to do; the others go on.
inline void run_loop(boost::asio::io_context& loop) {
  while (true) {
    try {
      loop.run();
      return;
    } catch (const std::bad_alloc&) {
      continue;
    }
  }
}

}  // namespace gondolin
