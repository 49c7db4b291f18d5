// What src/vm knows of this machine, for a person to read.

#include "gondolin/machine.hpp"

#include "image/program.hpp"
#include "vm/accelerator.hpp"
#include "vm/find_qemu.hpp"

namespace gondolin {
namespace {

std::string version_of(const std::string& qemu) {
  std::string first;
  auto status = image::run_program({.arguments = {qemu, "--version"}, .environment = {}},
                                   {.log =
                                        [&](std::string_view line) {
                                          if (first.empty()) first = line;
                                        },
                                    .stage = [](std::string_view) {}},
                                   [] { return false; });
  if (!status) return status.error().message;
  return first.empty() ? "it does not tell its version" : first;
}

void inspect_kvm(const std::string& qemu, MachineReport& report) {
  using Kvm = MachineReport::Kvm;
  if (auto device = vm::check_kvm_device(); !device) {
    report.kvm = Kvm::kMissing;
    report.kvm_note = device.error().message;
    return;
  }
  report.kvm = Kvm::kUntried;
  auto file = vm::VerdictCache::default_file();
  if (!file) return;
  auto verdict = vm::VerdictCache(*file).load(vm::verdict_key(qemu));
  if (!verdict) return;
  bool works = verdict->kind == vm::KvmVerdict::Kind::kWorks;
  report.kvm = works ? Kvm::kWorks : Kvm::kBroken;
  report.kvm_note = verdict->reason;
}

}  // namespace

MachineReport inspect_machine() {
  MachineReport report;
  auto qemu = vm::find_qemu();
  if (qemu) {
    report.qemu = qemu->string();
    report.qemu_note = version_of(*report.qemu);
  } else {
    report.qemu_note = qemu.error().message;
  }
  inspect_kvm(report.qemu.value_or(""), report);
  return report;
}

}  // namespace gondolin
