// One VM with its gateway, booted once for all tests of a program.
#pragma once

#include <chrono>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "gondolin/ingress.hpp"
#include "gondolin/vm.hpp"
#include "support/command.hpp"

namespace gondolin::test {

// Use through shared_vm(), which boots it on first use and ends it with main().
class SharedVm {
 public:
  SharedVm();

  [[nodiscard]] Vm& vm() { return *vm_; }
  [[nodiscard]] Ingress& ingress() { return *ingress_; }

  // Runs a shell script in the guest with `input` on its stdin; fails the test when
  // it takes more than two minutes.
  [[nodiscard]] CommandResult guest(const std::string& script, const std::string& input = {});

  // Puts a file of tests/vm/data into the guest's /root.
  void upload(const std::string& name);

  // Starts a shell command in the guest that goes on until the VM ends, and waits
  // until `port` listens there.
  void serve(const std::string& command, int port);

  // Writes the listeners file in the guest and waits until it is in force.
  void route(const std::vector<IngressRoute>& routes);

  // Runs curl on the gateway's URL followed by `path`.
  [[nodiscard]] CommandResult curl(const std::string& path, std::vector<std::string> options = {});

  // What the VM told of itself so far, a line each.
  [[nodiscard]] std::vector<std::string> events();

 private:
  std::mutex mutex_;
  std::vector<std::string> events_;
  std::optional<Vm> vm_;
  std::optional<Ingress> ingress_;
  std::vector<Process> servers_;
};

[[nodiscard]] SharedVm& shared_vm();
// Ends it, if it was started.
void close_shared_vm();

}  // namespace gondolin::test
