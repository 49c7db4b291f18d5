// What this machine has for running VMs. Looking takes milliseconds and changes nothing.
#pragma once

#include <optional>
#include <string>

#include "gondolin/export.hpp"

namespace gondolin {

// What was found.
struct MachineReport {
  // Whether hardware virtualization can be used.
  enum class Kvm {
    kWorks,    // a guest has been seen to boot with it
    kUntried,  // it can be opened; the next VM finds out
    kBroken,   // it was tried in vain: VMs run under emulation
    kMissing,  // it cannot be opened: VMs run under emulation
  };

  std::optional<std::string> qemu;  // the path of the program, nothing when there is none
  std::string qemu_note;            // its version, or what to do
  Kvm kvm = Kvm::kMissing;          // what runs VMs by default
  std::string kvm_note;             // why it is broken or missing
};

// May be called from any thread. Throws nothing but what running out of memory does.
[[nodiscard]] GONDOLIN_API MachineReport inspect_machine();

}  // namespace gondolin
