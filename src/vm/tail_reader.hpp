// Reads a descriptor to its end and keeps the last lines: the guest's console, and
// what QEMU writes to its standard error.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <boost/asio/any_io_executor.hpp>

#include "base/unique_fd.hpp"

namespace gondolin::vm {

// One event-loop thread.
class TailReader {
 public:
  // Reads `fd`, a pipe or socket, from now on.
  TailReader(const boost::asio::any_io_executor& executor, UniqueFd fd, std::size_t max_lines);
  TailReader(const TailReader&) = delete;
  TailReader& operator=(const TailReader&) = delete;
  ~TailReader();

  // Takes what has arrived and not been read yet.
  void catch_up();

  // The last lines, oldest first, control bytes made visible.
  [[nodiscard]] std::vector<std::string> lines() const;
  // How much has been read in all; shows whether the writer is alive.
  [[nodiscard]] std::uint64_t bytes_read() const;

 private:
  class Core;
  std::shared_ptr<Core> core_;
};

}  // namespace gondolin::vm
