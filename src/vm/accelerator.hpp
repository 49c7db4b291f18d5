// What executes the guest's instructions: KVM, or QEMU's emulator TCG.
//
// Whether KVM works can only be found out by booting a guest: a /dev/kvm that opens
// and answers may still hang every guest (nested virtualization that is half there).
// So `auto` tries it once on a machine and remembers the verdict, under a key made
// of everything that could change it. The file is private to the user, written
// atomically, and only ever a hint: a file that is missing, damaged or cannot be
// written means that the next start tries again.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.hpp"

namespace gondolin::vm {

enum class AcceleratorChoice : std::uint8_t { kAuto, kKvm, kTcg };
enum class Accelerator : std::uint8_t { kKvm, kTcg };

// "KVM" or "emulation", for messages.
[[nodiscard]] std::string_view accelerator_name(Accelerator accelerator);

struct KvmVerdict {
  enum class Kind : std::uint8_t { kWorks, kBroken };
  Kind kind;
  std::string reason;  // of kBroken: one line, "QEMU exited with status 1: …"

  bool operator==(const KvmVerdict&) const = default;
};

// Remembers one verdict, the latest, in a small JSON file.
class VerdictCache {
 public:
  // `file` and its directory need not exist.
  explicit VerdictCache(std::filesystem::path file) : file_(std::move(file)) {}

  // ${XDG_CACHE_HOME:-~/.cache}/gondolin/accel.json; nothing when neither is set.
  [[nodiscard]] static std::optional<std::filesystem::path> default_file();

  // The verdict stored under `key`, if there is one that can be read.
  [[nodiscard]] std::optional<KvmVerdict> load(std::string_view key) const;
  // Replaces what was stored. The directory is created (0700) when missing.
  [[nodiscard]] Status store(std::string_view key, const KvmVerdict& verdict) const;

 private:
  std::filesystem::path file_;
};

// Checks that /dev/kvm can be opened and speaks the API that QEMU needs, which takes
// microseconds and proves nothing more. The error says what to do.
[[nodiscard]] Status check_kvm_device(const std::filesystem::path& device = "/dev/kvm");

// Everything on this machine that could change the verdict: kernel, CPU model and
// microcode, the identity of /dev/kvm, and the QEMU binary.
[[nodiscard]] std::string verdict_key(const std::filesystem::path& qemu);

}  // namespace gondolin::vm
