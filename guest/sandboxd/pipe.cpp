#include "guest/sandboxd/pipe.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>

namespace gondolin::guest {

Result<Pipe> make_pipe() {
  int fds[2];
  if (::pipe2(fds, O_CLOEXEC) != 0) {
    return tl::unexpected(Error{ErrorCode::kIo, "no pipe can be made", errno});
  }
  return Pipe{UniqueFd(fds[0]), UniqueFd(fds[1])};
}

void set_nonblocking(const UniqueFd& fd) {
  ::fcntl(fd.get(), F_SETFL, ::fcntl(fd.get(), F_GETFL) | O_NONBLOCK);
}

}  // namespace gondolin::guest
