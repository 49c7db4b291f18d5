#include "cli/guest_program.hpp"

#include <signal.h>

#include <mutex>
#include <optional>
#include <span>
#include <stop_token>

#include "cli/confinement.hpp"
#include "cli/notice.hpp"
#include "cli/signals.hpp"
#include "cli/stdio_pump.hpp"
#include "cli/terminal.hpp"
#include "gondolin/error.hpp"

namespace gondolin::cli {
namespace {

constexpr unsigned char kLeaveKey = 0x1d;  // Ctrl-]
constexpr int kCommandNotFound = 127;      // what shells answer for it

class NoSuchProgram : public ApiError {
 public:
  explicit NoSuchProgram(const ApiError& error) : ApiError(error) {}
};

// What signals do at each stage. Before a program runs they cancel the start;
// after that Ctrl-C is the program's, and what ends us closes the VM, which makes
// every wait return.
class Conductor {
 public:
  [[nodiscard]] std::stop_token cancel_token() const { return starting_.get_token(); }
  // The signal that ended us, 0 if none did.
  [[nodiscard]] int ended_by() {
    std::lock_guard lock(mutex_);
    return ended_by_;
  }
  [[nodiscard]] bool left() {
    std::lock_guard lock(mutex_);
    return left_;
  }

  void program_runs(Vm& vm, Process& process) {
    std::lock_guard lock(mutex_);
    vm_ = &vm;
    process_ = &process;
    if (ended_by_ != 0) vm.close();
  }
  void program_ended() {
    std::lock_guard lock(mutex_);
    vm_ = nullptr;
    process_ = nullptr;
  }

  void on_signal(int signal) {
    std::lock_guard lock(mutex_);
    if (signal == SIGWINCH) {
      if (process_ != nullptr) process_->resize(terminal_size());
    } else if (signal == SIGINT && process_ != nullptr && !interrupted_) {
      interrupted_ = true;
      process_->signal(SIGINT);
    } else {
      ended_by_ = signal;
      starting_.request_stop();
      if (vm_ != nullptr) vm_->close();
    }
  }

  void leave() {
    std::lock_guard lock(mutex_);
    left_ = true;
    if (vm_ != nullptr) vm_->close();
  }

 private:
  std::mutex mutex_;
  std::stop_source starting_;
  Vm* vm_ = nullptr;
  Process* process_ = nullptr;
  int ended_by_ = 0;
  bool interrupted_ = false;
  bool left_ = false;
};

Process start_first(Vm& vm, const ExecOptions& base,
                    const std::vector<std::vector<std::string>>& programs) {
  for (std::size_t i = 0;; ++i) {
    try {
      ExecOptions options = base;
      options.argv = programs[i];
      return vm.exec(options);
    } catch (const ApiError& error) {
      if (error.code() != ApiErrorCode::kNotFound) throw;
      if (i + 1 == programs.size()) throw NoSuchProgram(error);
    }
  }
}

// To be called when every thread and process that there will be is there. `more` is what
// this session needs beside what all do.
void confine_session(Vm& vm, std::span<const AllowedCall> more) {
  if (!confinement_wanted()) return;
  try {
    confine_calls({kServingCalls, kSessionCalls, calls_to_end_children(), more});
  } catch (...) {
    vm.close();  // or the threads would go on
    throw;
  }
}

int pump_to_the_end(Conductor& conductor, Vm& vm, Process& process, Foreground foreground,
                    std::span<const AllowedCall> more_calls) {
  std::optional<RawTerminal> raw;
  StdioPump::Options pump;
  if (foreground == Foreground::kTerminal) {
    raw.emplace();
    pump.escape = kLeaveKey;
    pump.on_escape = [&conductor] { conductor.leave(); };
  }
  conductor.program_runs(vm, process);
  std::optional<int> status;
  {
    StdioPump pumping(process, pump);
    confine_session(vm, more_calls);
    try {
      status = process.wait().shell_status();
    } catch (const ApiError& error) {
      if (conductor.ended_by() == 0 && !conductor.left()) {
        print_notice(std::string("gondolin: ") + error.what());
      }
    }
  }
  conductor.program_ended();
  if (status) return *status;
  if (conductor.left()) return 0;
  return conductor.ended_by() != 0 ? 128 + conductor.ended_by() : 1;
}

}  // namespace

int run_guest_program(const VmArguments& arguments,
                      const std::vector<std::vector<std::string>>& programs,
                      Foreground foreground) {
  ExecOptions options = exec_options(arguments);
  std::optional<IngressOptions> ingress;
  try {
    ingress = ingress_options(arguments);
  } catch (const ApiError& error) {
    print_notice(error.what());
    return 1;
  }
  if (programs.front().empty()) throw UsageError("name the program to run, behind --");
  Conductor conductor;
  SignalThread signals([&conductor](int signal) { conductor.on_signal(signal); });
  try {
    VmSession session = start_vm(arguments, ingress, conductor.cancel_token());
    if (foreground == Foreground::kTerminal) options.terminal = terminal_size();
    Process process = start_first(session.vm, options, programs);
    std::span<const AllowedCall> more_calls;
    if (!arguments.mounts.empty()) more_calls = kMountCalls;
    return pump_to_the_end(conductor, session.vm, process, foreground, more_calls);
  } catch (const NoSuchProgram& error) {
    print_error(error);
    return kCommandNotFound;
  } catch (const ApiError& error) {
    if (error.code() != ApiErrorCode::kCancelled || conductor.ended_by() == 0) throw;
    return 128 + conductor.ended_by();
  }
}

}  // namespace gondolin::cli
