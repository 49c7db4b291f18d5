// What a template depends on, in words.
//
// A template is the memory and the state of a guest that has booted. It can only be
// continued by the same QEMU, with the same machine, on the same processor; and it
// must not outlive the image it was made of. The key holds all of that, and the boot
// of this host: the speed of its time stamp counter, which the guest relies on, is
// settled then, and a memory file that a crash left half written cannot survive it.
//
// Two keys are compared as text; the digest only names a directory.
#pragma once

#include <filesystem>
#include <string>

#include "vm/qemu_command.hpp"

namespace gondolin::vm {

struct TemplateKey {
  std::string text;  // lines
  std::string id;    // 64 hex digits, the SHA-256 of the text

  bool operator==(const TemplateKey&) const = default;
};

// What of this machine a template depends on.
struct HostFacts {
  std::string boot;             // the kernel's id of it
  std::string system;           // kernel, processor model and microcode, KVM, QEMU
  std::string processor_flags;  // what the processor can do
};

// Of this machine now, and of the program that is to run the guest.
[[nodiscard]] HostFacts host_facts(const std::filesystem::path& qemu);

// The key of a guest of `machine` that `qemu` runs. The time stamp counter's frequency
// and the memory file of `machine` are not part of it.
[[nodiscard]] TemplateKey template_key(const std::filesystem::path& qemu, MachineOptions machine,
                                       const HostFacts& host);

}  // namespace gondolin::vm
