#include "vm/qemu_process.hpp"

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <utility>

#include "base/check.hpp"
#include "vm/qemu_confinement.hpp"

namespace gondolin::vm {
namespace {

struct Pair {
  UniqueFd ours;
  UniqueFd theirs;
};

Result<Pair> make_socket_pair() {
  std::array<int, 2> ends{};
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()) != 0) {
    return fail_errno("socketpair", errno);
  }
  return Pair{UniqueFd(ends[0]), UniqueFd(ends[1])};
}

Result<Pair> make_pipe() {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) return fail_errno("pipe2", errno);
  return Pair{UniqueFd(ends[0]), UniqueFd(ends[1])};
}

Result<UniqueFd> open_file(const std::filesystem::path& path, int flags) {
  UniqueFd file(::open(path.c_str(), flags | O_CLOEXEC));
  if (!file.valid()) return fail_errno("open " + path.string(), errno);
  return file;
}

// What QEMU opens, in the order of its descriptors.
Result<std::vector<QemuFile>> open_files(const MachineOptions& machine) {
  std::vector<QemuFile> files;
  for (const auto& path : {machine.kernel, machine.initramfs, machine.root}) {
    auto file = open_file(path, O_RDONLY);
    if (!file) return tl::unexpected(file.error());
    files.push_back({std::move(*file), QemuFile::Use::kRead});
  }
  if (!machine.memory_file) return files;
  auto memory = open_file(machine.memory_file->path, O_RDWR);
  if (!memory) return tl::unexpected(memory.error());
  files.push_back({std::move(*memory), QemuFile::Use::kWrite});
  return files;
}

}  // namespace

Result<RunningQemu> start_qemu(const boost::asio::any_io_executor& executor,
                               const std::filesystem::path& qemu, const MachineOptions& machine,
                               UniqueFd state, std::function<void(ChildExit)> on_exit) {
  RunningQemu running;
  QemuSockets& ours = running.sockets;
  ChildOptions child{.program = qemu.string(), .arguments = {qemu.string()}};
  for (std::string& argument : qemu_arguments(machine)) {
    child.arguments.push_back(std::move(argument));
  }

  constexpr std::array<std::pair<int, UniqueFd QemuSockets::*>, 6> kSockets = {{
      {QemuFds::kQmp, &QemuSockets::qmp},
      {QemuFds::kConsole, &QemuSockets::console},
      {QemuFds::kControl, &QemuSockets::control},
      {QemuFds::kFs, &QemuSockets::fs},
      {QemuFds::kIngress, &QemuSockets::ingress},
      {QemuFds::kMounts, &QemuSockets::mounts},
  }};
  for (auto [number, socket] : kSockets) {
    auto pair = make_socket_pair();
    if (!pair) return tl::unexpected(pair.error());
    // The first descriptor of a child is its number 3.
    GONDOLIN_CHECK(static_cast<int>(child.descriptors.size()) + 3 == number);
    ours.*socket = std::move(pair->ours);
    child.descriptors.push_back(std::move(pair->theirs));
  }
  auto files = open_files(machine);
  if (!files) return tl::unexpected(files.error());
  auto confinement = confine_qemu(qemu, machine.accelerator, *files);
  if (!confinement) return tl::unexpected(confinement.error());
  child.user = confinement->user;
  child.landlock = std::move(confinement->landlock);
  static_assert(kSockets.size() + 3 == QemuFds::kKernel);
  for (QemuFile& file : *files)
    child.descriptors.push_back(std::move(file.fd));
  // Only a machine whose memory is a file, the last one above, has a state.
  GONDOLIN_CHECK(!state.valid() || child.descriptors.size() + 3 == QemuFds::kState);
  if (state.valid()) child.descriptors.push_back(std::move(state));
  auto pipe = make_pipe();
  if (!pipe) return tl::unexpected(pipe.error());
  ours.error_output = std::move(pipe->ours);
  child.error_output = std::move(pipe->theirs);

  auto process = ChildProcess::start(executor, std::move(child), std::move(on_exit));
  if (!process) return tl::unexpected(process.error());
  running.process = std::move(*process);
  return running;
}

}  // namespace gondolin::vm
