// What the daemons' main functions have in common.
#pragma once

#include <cstdint>
#include <functional>
#include <string_view>

#include "base/result.hpp"
#include "base/unique_fd.hpp"

namespace gondolin::guest {

// Runs a daemon on the port called `port_name`, or on the inherited descriptor that
// the arguments "--port-fd N" name. SIGPIPE is ignored. Returns the exit status
// for main: 1, with the reason on stderr, when the port cannot be opened or `serve`
// ends with an error; 0 when it ends because a test closed the socket that stood in
// for the port. init starts the daemon again.
[[nodiscard]] int run_on_port(int argc, char** argv, std::string_view port_name,
                              const std::function<Status(UniqueFd port)>& serve);

// Raises the soft limit of open files to the hard one and returns what the soft limit
// was, for children to get back.
std::uint64_t raise_file_limit();

}  // namespace gondolin::guest
