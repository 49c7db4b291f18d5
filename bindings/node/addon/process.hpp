// NativeProcess: a program in the guest, as JavaScript has it. Every read, write and wait
// is one asynchronous call of the library, without a thread of its own.
#pragma once

#include <napi.h>

#include <memory>

#include "environment.hpp"
#include "gondolin/process.hpp"

namespace gondolin::node {

class ProcessObject final : public Napi::ObjectWrap<ProcessObject> {
 public:
  // Defines the class, for make().
  static void define(Napi::Env env);
  [[nodiscard]] static Napi::Value make(Napi::Env env, std::shared_ptr<Process> process);

  explicit ProcessObject(const Napi::CallbackInfo& info);
  ~ProcessObject() override;

 private:
  // readStdout(max), readStderr(max): a promise of a Buffer, empty at the end.
  Napi::Value read_stdout(const Napi::CallbackInfo& info);
  Napi::Value read_stderr(const Napi::CallbackInfo& info);
  // writeStdin(bytes): a promise of whether the program still reads.
  Napi::Value write_stdin(const Napi::CallbackInfo& info);
  // wait(): a promise of { code, signal }.
  Napi::Value wait(const Napi::CallbackInfo& info);
  void close_stdin(const Napi::CallbackInfo& info);
  void close_stdout(const Napi::CallbackInfo& info);
  void close_stderr(const Napi::CallbackInfo& info);
  void resize(const Napi::CallbackInfo& info);
  void signal(const Napi::CallbackInfo& info);
  void kill(const Napi::CallbackInfo& info);

  std::shared_ptr<WorkPool> pool_;
  // Calls in progress hold it too: a program is not killed because JavaScript waits for
  // its end alone.
  std::shared_ptr<Process> process_;
};

// What to run, under the names that src/exec.ts gives the options.
[[nodiscard]] ExecOptions read_exec_options(Napi::Object object);

}  // namespace gondolin::node
