// Runs one program of the guest in the foreground: what `exec` and `bash` do once
// their options are known.
#pragma once

#include <string>
#include <vector>

#include "cli/vm_session.hpp"

namespace gondolin::cli {

enum class Foreground {
  kPipes,     // the three standard streams, as they are
  kTerminal,  // a terminal in the guest; Ctrl-] leaves
};

// Boots a VM, runs the first of `programs` that exists in it, with this process's
// standard streams, and returns the status to exit with: the program's own, 128
// plus the signal that ended it, or that of the signal that ended us; 127 when the guest has
// none of the programs, or not the directory to start them in. Ctrl-C goes to the program; a
// second one, or SIGTERM or SIGHUP, ends the VM. Throws UsageError for a program without a
// name, and ApiError when there is no VM.
[[nodiscard]] int run_guest_program(const VmArguments& arguments,
                                    const std::vector<std::vector<std::string>>& programs,
                                    Foreground foreground);

}  // namespace gondolin::cli
