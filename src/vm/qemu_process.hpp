// A QEMU that runs as our child, and the sockets to it.
#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <boost/asio/any_io_executor.hpp>

#include "base/result.hpp"
#include "base/unique_fd.hpp"
#include "vm/child_process.hpp"
#include "vm/qemu_command.hpp"

namespace gondolin::vm {

// Our ends of the sockets.
struct QemuSockets {
  UniqueFd qmp;
  UniqueFd console;
  UniqueFd control;
  UniqueFd fs;
  UniqueFd ingress;
  UniqueFd mounts;
  UniqueFd error_output;  // what QEMU writes to its standard error
};

struct RunningQemu {
  std::unique_ptr<ChildProcess> process;
  QemuSockets sockets;
};

// Starts `qemu` with the arguments of `machine`. `state` is that of the template, for a
// machine whose memory is one's, and invalid otherwise. See ChildProcess::start().
[[nodiscard]] Result<RunningQemu> start_qemu(const boost::asio::any_io_executor& executor,
                                             const std::filesystem::path& qemu,
                                             const MachineOptions& machine, UniqueFd state,
                                             std::function<void(ChildExit)> on_exit);

}  // namespace gondolin::vm
