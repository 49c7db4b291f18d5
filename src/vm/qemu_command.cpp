#include "vm/qemu_command.hpp"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace gondolin::vm {
namespace {

// Timer interrupts per second of Debian's kernels; `lpj` is in ticks of the counter
// per such interrupt.
constexpr unsigned kGuestHz = 250;

void add(std::vector<std::string>& arguments, std::string option, std::string value) {
  arguments.push_back(std::move(option));
  arguments.push_back(std::move(value));
}

void add_socket(std::vector<std::string>& arguments, const char* id, int fd) {
  add(arguments, "-chardev", fmt::format("socket,id={},fd={}", id, fd));
}

void add_port(std::vector<std::string>& arguments, const char* name, int fd) {
  add_socket(arguments, name, fd);
  add(arguments, "-device", fmt::format("virtserialport,chardev={0},name=org.gondolin.{0}", name));
}

std::string inherited(int fd) {
  return fmt::format("/proc/self/fd/{}", fd);
}

// Without locks, since the image is never written and any number of VMs read it at once.
std::string root_drive() {
  nlohmann::json drive = {
      {"driver", "raw"},
      {"node-name", "root"},
      {"read-only", true},
      {"file",
       {{"driver", "file"},
        {"filename", inherited(QemuFds::kRoot)},
        {"read-only", true},
        {"locking", "off"}}},
  };
  return drive.dump();
}

std::string memory_object(const MachineOptions& machine) {
  nlohmann::json object = {
      {"qom-type", "memory-backend-file"},
      {"id", "memory"},
      {"mem-path", inherited(QemuFds::kMemory)},
      {"size", std::uint64_t{machine.memory_mib} << 20},
      {"share", machine.memory_file->use == MemoryFile::Use::kShared},
  };
  return object.dump();
}

}  // namespace

std::string kernel_command_line(const MachineOptions& machine) {
  // Our kernel has the driver of dummy links, which makes one by itself: the guest is to
  // begin with nothing but its loopback.
  std::string line = "console=ttyS0 reboot=t panic=-1 quiet dummy.numdummies=0";
  if (machine.accelerator == Accelerator::kTcg) {
    // An emulated timer is late whenever the host is busy, so nothing is calibrated or
    // checked against it: that is slow and now and then never ends.
    line += " no_timer_check";
    // The translator knows a program's code by its address, too: where each process has
    // addresses of its own, everything it runs is translated anew, which takes five times
    // as long as running it.
    line += " norandmaps";
    if (machine.tsc_khz) {
      // Emulated processors all read the host's counter, so it is the same on each; the
      // kernel would not believe that of more than one and fall back to a clock that
      // moves 250 times a second.
      line += fmt::format(" tsc=reliable tsc_early_khz={} lpj={}", *machine.tsc_khz,
                          std::uint64_t{*machine.tsc_khz} * 1000 / kGuestHz);
    }
  }
  return line;
}

std::vector<std::string> qemu_arguments(const MachineOptions& machine) {
  bool kvm = machine.accelerator == Accelerator::kKvm;
  std::vector<std::string> arguments{"-nodefaults", "-no-user-config", "-no-reboot"};
  add(arguments, "-display", "none");
  add(arguments, "-name", "gondolin");
  add(arguments, "-sandbox",
      "on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny");
  std::string board = kvm ? "microvm,accel=kvm" : "microvm,accel=tcg";
  if (machine.memory_file) {
    add(arguments, "-object", memory_object(machine));
    board += ",memory-backend=memory";
  }
  add(arguments, "-machine", board);
  // An emulated `rep movsb` copies byte by byte. Software that is told of ERMS uses it
  // wherever it copies, the kernel for every system call's data.
  add(arguments, "-cpu", kvm ? "host" : "max,-erms");
  add(arguments, "-m", fmt::format("{}M", machine.memory_mib));
  add(arguments, "-smp", fmt::format("{}", machine.cpus));

  add(arguments, "-kernel", inherited(QemuFds::kKernel));
  add(arguments, "-initrd", inherited(QemuFds::kInitramfs));
  add(arguments, "-append", kernel_command_line(machine));

  add(arguments, "-blockdev", root_drive());
  add(arguments, "-device", "virtio-blk-device,drive=root");

  add_socket(arguments, "qmp", QemuFds::kQmp);
  add(arguments, "-mon", "chardev=qmp,mode=control");
  add_socket(arguments, "console", QemuFds::kConsole);
  add(arguments, "-serial", "chardev:console");

  add(arguments, "-device", "virtio-serial-device,max_ports=5");  // port 0 is reserved
  add_port(arguments, "control", QemuFds::kControl);
  add_port(arguments, "fs", QemuFds::kFs);
  add_port(arguments, "ingress", QemuFds::kIngress);
  add_port(arguments, "mounts", QemuFds::kMounts);
  if (machine.memory_file && machine.memory_file->use == MemoryFile::Use::kPrivate) {
    add(arguments, "-incoming", "defer");
  }
  return arguments;
}

}  // namespace gondolin::vm
