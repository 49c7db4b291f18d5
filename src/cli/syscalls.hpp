// The system calls that `gondolin gateway`, `exec` and `bash` need once they serve, and who
// needs them. The seccomp filters are made of these lists (src/cli/confinement.cpp): what is
// not on the lists of a command fails with EPERM. Nothing here can start a program or a
// thread, make memory executable or bind a port, nor, without --mount, open a file for
// writing.
#pragma once

#include <fcntl.h>
#include <linux/netlink.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include <array>
#include <cstdint>

namespace gondolin::cli {

// A call is allowed when argument `index`, of whose bits only those in `mask` count,
// equals `value`.
struct ArgumentRule {
  unsigned index;
  std::uint64_t mask;
  std::uint64_t value;
};

struct AllowedCall {
  const char* name;
  std::array<ArgumentRule, 2> rules{};  // both must hold; a mask of 0 always does
};

inline constexpr std::uint64_t kWholeArgument = 0xffff'ffff;  // int arguments
inline constexpr std::uint64_t kSocketType = 0xf;             // without SOCK_CLOEXEC and the like

// The event loop and the gateway's clients: all commands.
inline constexpr AllowedCall kServingCalls[] = {
    {"accept"},
    {"accept4"},
    {"shutdown"},
    {"close"},
    {"read"},
    {"readv"},
    {"recvfrom"},
    {"recvmsg"},
    {"write"},
    {"writev"},
    {"sendto"},
    {"sendmsg"},
    {"getsockname"},
    {"getpeername"},
    {"getsockopt"},
    {"setsockopt"},
    // Whether a client that has half-closed is still there (io/peer_state).
    {"socket", {{{0, kWholeArgument, AF_NETLINK}, {2, kWholeArgument, NETLINK_SOCK_DIAG}}}},
    {"ioctl", {{{1, kWholeArgument, FIONBIO}}}},
    {"ioctl", {{{1, kWholeArgument, FIONREAD}}}},
    {"fcntl"},
    {"epoll_wait"},
    {"epoll_pwait"},
    {"epoll_ctl"},
    {"timerfd_settime"},
    {"poll"},
    {"ppoll"},
    {"clock_gettime"},
    {"clock_nanosleep"},
    {"restart_syscall"},
    // Memory, none of it executable.
    {"brk"},
    {"mmap", {{{2, PROT_EXEC, 0}}}},
    {"mprotect", {{{2, PROT_EXEC, 0}}}},
    {"mremap"},
    {"munmap"},
    {"madvise"},
    // Threads that exist, signals, the end.
    {"futex"},
    {"set_robust_list"},
    {"rseq"},
    {"sched_yield"},
    {"getpid"},
    {"gettid"},
    {"tgkill"},  // abort(); to this process alone, see the filter
    {"rt_sigaction"},
    {"rt_sigprocmask"},
    {"rt_sigreturn"},
    {"rt_sigtimedwait"},
    {"getrandom"},
    {"exit"},
    {"exit_group"},
};

// `gondolin gateway`: backends on this machine, and its listeners file.
inline constexpr AllowedCall kGatewayCalls[] = {
    {"connect"},
    {"socket", {{{0, kWholeArgument, AF_INET}, {1, kSocketType, SOCK_STREAM}}}},
    {"socket", {{{0, kWholeArgument, AF_INET6}, {1, kSocketType, SOCK_STREAM}}}},
    // Watched and read, never written (io/file_watch).
    {"openat", {{{2, O_ACCMODE | O_CREAT | O_TRUNC, O_RDONLY}}}},
    {"newfstatat"},
    {"fstat"},
    {"statx"},
    {"lseek"},
    {"readlink"},
    {"readlinkat"},
    {"inotify_add_watch"},
    {"inotify_rm_watch"},
};

// `gondolin exec` and `bash`, which open nothing: QEMU's end, the terminal, and a FUSE
// session's descriptor (vfs/fuse_mount). Which processes they may kill only they know.
inline constexpr AllowedCall kSessionCalls[] = {
    {"wait4"},
    {"eventfd2"},
    {"ioctl", {{{1, kWholeArgument, TCGETS}}}},
    {"ioctl", {{{1, kWholeArgument, TCSETS}}}},
    {"ioctl", {{{1, kWholeArgument, TCSETSW}}}},
    {"ioctl", {{{1, kWholeArgument, TIOCGWINSZ}}}},
    {"fstat"},   // of standard output, before its first byte
    {"getuid"},  // in answers to the guest's file system
};

// The same with --mount: the files of the directories that the guest is shown
// (api/host_directory). openat2 alone opens, always beneath such a directory, but that is
// our word for it: the filter cannot see its second argument.
inline constexpr AllowedCall kMountCalls[] = {
    {"openat2"},   {"newfstatat"}, {"getdents64"}, {"lseek"},     {"pread64"}, {"pwrite64"},
    {"fsync"},     {"ftruncate"},  {"fchmodat"},   {"utimensat"}, {"mkdirat"}, {"unlinkat"},
    {"renameat2"}, {"readlinkat"}, {"symlinkat"},  {"fstatfs"},
};

}  // namespace gondolin::cli
