// Starting a program: in a session of its own, with exactly the descriptors,
// variables, directory and terminal it was given, and nothing of the daemon's.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>

#include "base/unique_fd.hpp"
#include "wire/control.hpp"

namespace gondolin::guest {

// What the daemon changed about itself and its children get back.
struct ChildDefaults {
  std::uint64_t file_limit = 1024;  // soft limit of open files
};

// The daemon's ends of what a program is connected to; invalid where there is nothing.
struct ProgramEnds {
  UniqueFd input;     // written here: standard input
  UniqueFd output;    // read here: standard output
  UniqueFd error;     // read here: standard error
  UniqueFd terminal;  // or the terminal, for all of it
};

struct Program {
  pid_t pid = -1;
  UniqueFd pidfd;  // readable once the program has ended
  ProgramEnds ends;
};

// What is attached to a program that is not on a terminal.
enum class Attached : std::uint8_t {
  kNothing,         // all three are /dev/null
  kStdio,           // standard input and output; standard error joins the output
  kStdioAndStderr,  // each apart
  kStderr,          // only standard error
};

// Starts `spawn`. The program is killed when the daemon dies. On failure the error
// has an errno and the sentence that wire::Failed carries.
[[nodiscard]] Result<Program> start_program(const wire::Spawn& spawn, Attached attached,
                                            const ChildDefaults& defaults);

}  // namespace gondolin::guest
