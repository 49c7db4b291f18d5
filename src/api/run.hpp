// Vm::run(), over a control client: a program from its start to its end, its input fed,
// its output collected up to a bound, killed when its time is over or somebody says so.
//
// One coroutine starts the program and waits for what the others do: one for each stream.
// A deadline or a stop cancels the program, which ends them all; what was collected until
// then is kept.
#pragma once

#include <memory>

#include "api/loop_thread.hpp"
#include "gondolin/process.hpp"
#include "vm/control_client.hpp"
#include "wire/control.hpp"

namespace gondolin::api {

// Where programs are run.
struct RunPlace {
  std::weak_ptr<LoopThread> loop;
  std::shared_ptr<const bool> closed;  // becomes true when the user has closed the VM
  vm::ControlClient& client;           // stays until the run has ended or the loop has
};

// Throws as Vm::run() says. On the loop.
[[nodiscard]] Awaitable<RunResult> run_program(RunPlace place, wire::Spawn program,
                                               RunOptions options);

}  // namespace gondolin::api
