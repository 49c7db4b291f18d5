// The commands of the program `gondolin`, one file each.
#pragma once

#include <exception>
#include <stdexcept>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>

#include "gondolin/debug.hpp"

namespace gondolin::cli {

// One run of the program: the guest's program that stands behind "--", in which no
// options of ours are looked for, and the status that the command leaves for main()
// to exit with.
struct Invocation {
  std::vector<std::string> behind_dashes;
  int exit_code = 0;
};

// The command line was understood by its form but makes no sense; main() exits
// with 2.
class UsageError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

// The command line was understood; the work itself failed. main() prints
// "gondolin: <message>" on stderr and exits with 1. ApiError is treated alike.
class CommandError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

// Each adds one command to `app`. The command's callback runs the command to its
// end and stores its exit status in `invocation`, which must outlive `app`.
void add_gateway_command(CLI::App& app, Invocation& invocation);
void add_image_command(CLI::App& app, Invocation& invocation);
void add_exec_command(CLI::App& app, Invocation& invocation);
void add_bash_command(CLI::App& app, Invocation& invocation);
void add_template_command(CLI::App& app);
void add_doctor_command(CLI::App& app, Invocation& invocation);

// Prints "gondolin: <what>" on stderr.
void print_error(const std::exception& error);

// The debug log that the environment variable GONDOLIN_DEBUG asks for, written to
// stderr as "gondolin <topic>: <line>".
[[nodiscard]] DebugOptions debug_options_from_environment();

// Lets this process have as many file descriptors as its hard limit allows: a gateway
// needs two for each connection, and a login shell's limit is 1,024 for all.
void raise_descriptor_limit();

}  // namespace gondolin::cli
