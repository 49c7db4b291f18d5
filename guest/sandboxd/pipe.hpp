// Pipes between the daemon and its children.
#pragma once

#include "base/result.hpp"
#include "base/unique_fd.hpp"

namespace gondolin::guest {

struct Pipe {
  UniqueFd read_end;
  UniqueFd write_end;
};

// Both ends block and close on exec.
[[nodiscard]] Result<Pipe> make_pipe();

void set_nonblocking(const UniqueFd& fd);

}  // namespace gondolin::guest
