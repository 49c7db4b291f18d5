// What `gondolin gateway`, `exec` and `bash` give up once they serve, so that somebody who
// takes them over gains little: new privileges, every system call they have no use for
// (seccomp) and, the gateway from the start, file access (Landlock).
//
// Only a program of ours confines itself: the library never does it to one that embeds
// it. Kernels without Landlock or seccomp run unconfined there; `gondolin doctor` says so.
// GONDOLIN_CONFINE=off turns it all off, for debuggers and valgrind. Sanitized builds are
// never confined: their runtime opens files and starts programs at its own discretion.
#pragma once

#include <cstdint>
#include <filesystem>
#include <initializer_list>
#include <span>
#include <string>
#include <vector>

#include "cli/syscalls.hpp"

namespace gondolin::cli {

// What this machine's kernel has. `landlock_abi` is 0 without Landlock.
struct ConfinementSupport {
  int landlock_abi = 0;
  bool seccomp = false;
};
[[nodiscard]] ConfinementSupport confinement_support();

// Whether this process is to be confined at all.
[[nodiscard]] bool confinement_wanted();

// From now on this process can read files below `directories` and no others, write none,
// bind no TCP port but `bind_port` (0: any free one), and never gain privileges. To be called
// while there is one thread. Throws CommandError when the kernel has Landlock and
// refuses.
void confine_files(const std::vector<std::filesystem::path>& directories, std::uint16_t bind_port);

// From now on every thread of this process can make the system calls of these lists alone.
// Throws CommandError when the kernel has seccomp and refuses.
void confine_calls(std::initializer_list<std::span<const AllowedCall>> lists);

// What lets this process end the children it has now, and signal nobody else.
[[nodiscard]] std::vector<AllowedCall> calls_to_end_children();

}  // namespace gondolin::cli
