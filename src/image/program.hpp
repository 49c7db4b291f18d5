// Runs another program to its end, never to outlive us: it is killed when the
// calling thread ends, however that happens.
#pragma once

#include <functional>
#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "image/store.hpp"

namespace gondolin::image {

struct Program {
  std::vector<std::string> arguments;    // the first is the program, found along PATH
  std::vector<std::string> environment;  // NAME=VALUE, all of it
};

// Those of the named variables that our own environment has, as NAME=VALUE.
[[nodiscard]] std::vector<std::string> inherited_environment(
    std::initializer_list<const char*> names);

struct ProgramOutput {
  std::function<void(std::string_view line)> log;    // stdout and stderr
  std::function<void(std::string_view line)> stage;  // file descriptor 3
};

// Returns the exit status, 128 and the signal's number for a program that was
// killed. It gets /dev/null as stdin, a process group of its own (so that Ctrl-C
// on our terminal is ours to act on) and umask 022.
[[nodiscard]] Result<int> run_program(const Program& program, const ProgramOutput& output,
                                      const Cancelled& cancelled);

// The path of a program found along PATH and the directories for administrators; one
// with a slash in it is a path already.
[[nodiscard]] Result<std::string> find_program(std::string_view name);

}  // namespace gondolin::image
