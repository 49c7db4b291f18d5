// Who QEMU runs as, and which files it can reach: the emulator executes what the guest says
// and so comes first if the guest breaks out.
//
// It gets its files as descriptors, and opens them once more through /proc/self/fd, which
// asks for the permissions of the file and not of the directories on the way. Where we are
// root, it runs as a user that owns nothing; what it is to open is given that user's group.
// Where the kernel has Landlock it opens its own program's files and those descriptors, and
// nothing else. GONDOLIN_CONFINE=off leaves both out.
#pragma once

#include <filesystem>
#include <optional>
#include <vector>

#include "base/result.hpp"
#include "base/unique_fd.hpp"
#include "vm/accelerator.hpp"
#include "vm/child_process.hpp"

namespace gondolin::vm {

// User and group of QEMU where we are root: between systemd's dynamic users, which end at
// 65519, and nobody, 65534, so no account has it.
inline constexpr unsigned kQemuId = 65530;

// A file that QEMU is given.
struct QemuFile {
  enum class Use : std::uint8_t {
    kRead,
    kWrite,  // its length too
  };
  UniqueFd fd;
  Use use;
};

struct QemuConfinement {
  std::optional<ChildUser> user;  // nothing: it stays ours
  UniqueFd landlock;              // none on a kernel without
};

// Confines `qemu`, the program, to `files`. Without an error it stays our user where it must:
// we are not root or may not change users, the program is where only we reach it, KVM's device
// is root's alone, or the files' owner cannot be changed.
[[nodiscard]] Result<QemuConfinement> confine_qemu(const std::filesystem::path& qemu,
                                                   Accelerator accelerator,
                                                   const std::vector<QemuFile>& files);

}  // namespace gondolin::vm
