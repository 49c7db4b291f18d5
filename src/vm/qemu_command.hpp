// The command line that QEMU is started with. A pure function of its input.
//
// The machine is a microvm with what the guest needs and nothing else: a serial
// console, a read-only disk, and one virtio-serial device with our four ports. There
// is no network device, no monitor but ours, no configuration file and no default
// device, and QEMU's seccomp filter keeps it from starting programs.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "vm/accelerator.hpp"

namespace gondolin::vm {

// The descriptors QEMU inherits: its ends of socket pairs, and the files it is to open
// (once more, by the names that /proc/self/fd gives them).
struct QemuFds {
  static constexpr int kQmp = 3;
  static constexpr int kConsole = 4;
  static constexpr int kControl = 5;
  static constexpr int kFs = 6;
  static constexpr int kIngress = 7;
  static constexpr int kMounts = 8;
  static constexpr int kKernel = 9;
  static constexpr int kInitramfs = 10;
  static constexpr int kRoot = 11;
  static constexpr int kMemory = 12;  // where it is a file
  static constexpr int kState = 13;   // of a template, where there is one
};

// A file that is the guest's memory.
struct MemoryFile {
  enum class Use : std::uint8_t {
    kShared,   // empty before; what the guest writes is in the file
    kPrivate,  // of a template: what the guest writes is its own. QEMU waits for the
               // state that belongs to it, which it reads from QemuFds::kState
  };
  std::filesystem::path path;
  Use use;
};

struct MachineOptions {
  std::filesystem::path kernel;
  std::filesystem::path initramfs;
  std::filesystem::path root;
  unsigned memory_mib = 1024;
  unsigned cpus = 2;
  Accelerator accelerator = Accelerator::kTcg;
  // Of the host's time stamp counter; only emulation uses it.
  std::optional<std::uint32_t> tsc_khz{};
  std::optional<MemoryFile> memory_file{};  // anonymous memory without
};

// The arguments behind the program's name.
[[nodiscard]] std::vector<std::string> qemu_arguments(const MachineOptions& machine);

// The guest kernel's command line, part of the above.
[[nodiscard]] std::string kernel_command_line(const MachineOptions& machine);

}  // namespace gondolin::vm
