// What init has to say, one line each on /dev/console: always when something went
// wrong, and how the boot goes when the kernel's command line has "gondolin.debug".
#pragma once

#include <string_view>

#include "base/unique_fd.hpp"

namespace gondolin::init {

class Console {
 public:
  // Opens /dev/console and reads the command line, so /dev and /proc must be
  // mounted. Without a console every line is dropped.
  Console();

  void error(std::string_view text) const;
  // Carries the time since the machine started.
  void debug(std::string_view text) const;

  // -1 when there is none. Close-on-exec.
  [[nodiscard]] int fd() const { return fd_.get(); }

 private:
  UniqueFd fd_;
  bool debug_ = false;
};

}  // namespace gondolin::init
