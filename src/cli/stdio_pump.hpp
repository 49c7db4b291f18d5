// Carries this process's standard streams to a program in the guest and back.
#pragma once

#include <atomic>
#include <functional>
#include <optional>
#include <thread>

#include "gondolin/vm.hpp"

namespace gondolin::cli {

// One thread per stream, each with blocking reads and writes, so that a slow
// reader of stdout slows the program and never its stderr. The descriptors keep
// the mode they were inherited in: other processes share them.
class StdioPump {
 public:
  struct Options {
    // This byte on stdin is not sent: it calls `on_escape` and ends the input.
    std::optional<unsigned char> escape;
    // Called on the input thread.
    std::function<void()> on_escape;
  };

  // Starts pumping. `process` must outlive the pump.
  StdioPump(Process& process, Options options);

  // Stops reading stdin, and waits for all output to be written.
  ~StdioPump();

  StdioPump(const StdioPump&) = delete;
  StdioPump& operator=(const StdioPump&) = delete;

 private:
  struct Output {
    std::size_t (Process::*read)(std::span<std::byte>);
    void (Process::*close)();
    int fd;
  };

  void pump_input();
  [[nodiscard]] bool forward_input(std::span<const std::byte> bytes);
  void pump_output(const Output& output);

  Process& process_;
  Options options_;
  int stop_fd_;
  std::thread input_;
  std::thread output_;
  std::thread errors_;
};

}  // namespace gondolin::cli
