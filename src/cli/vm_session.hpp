// What `bash` and `exec` share: the options of a VM and its gateway, and starting
// the two with everything a user should see on the way.
#pragma once

#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>

#include "cli/commands.hpp"
#include "gondolin/vm.hpp"

namespace gondolin::cli {

struct VmArguments {
  std::string image = kDefaultImage;
  unsigned memory_mib = VmOptions{}.memory_mib;
  unsigned cpus = VmOptions{}.cpus;
  Accelerator accelerator = Accelerator::kAuto;
  StartFrom start_from = StartFrom::kTemplate;
  std::vector<std::string> environment;  // NAME=VALUE
  std::string cwd;
  std::vector<std::string> mounts;  // HOST:GUEST[:ro]
  // Set by --listen; "" when it had no value.
  std::optional<std::string> listen;
  std::vector<std::string> ingress_hosts;
  bool allow_websockets = true;
  std::vector<std::string> command;
};

// Adds the options to `command`; they are stored in `arguments`, which must
// outlive it.
void add_vm_options(CLI::App& command, VmArguments& arguments);

// Adds what stands behind "--" to the command to run in the guest.
void append_behind_dashes(VmArguments& arguments, const Invocation& invocation);

// A running VM and, with --listen, its gateway.
struct VmSession {
  Vm vm;
  std::optional<Ingress> ingress;
};

// What --listen and its companions ask for, nothing without it. Throws ApiError,
// whose message is a line for the user as it stands, for a bad value.
[[nodiscard]] std::optional<IngressOptions> ingress_options(const VmArguments& arguments);

// Builds the image if there is none (with progress), boots the VM and opens the
// gateway, announcing its URL on stderr. Throws ApiError.
[[nodiscard]] VmSession start_vm(const VmArguments& arguments,
                                 const std::optional<IngressOptions>& ingress,
                                 const std::stop_token& cancel);

// The part of a program's ExecOptions that the command line gives: environment
// and directory. Throws CommandError for an environment entry without a name.
[[nodiscard]] ExecOptions exec_options(const VmArguments& arguments);

}  // namespace gondolin::cli
