#include "vm/child_process.hpp"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <thread>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support.hpp"

namespace gondolin::vm {
namespace {

struct Pipe {
  UniqueFd out;
  UniqueFd in;
};

Pipe make_pipe() {
  std::array<int, 2> ends{};
  EXPECT_EQ(::pipe2(ends.data(), O_CLOEXEC), 0);
  return {UniqueFd(ends[0]), UniqueFd(ends[1])};
}

ChildOptions shell(const std::string& script) {
  ChildOptions options;
  options.program = "/bin/sh";
  options.arguments = {"sh", "-c", script};
  return options;
}

std::string read_to_end(int fd) {
  std::string text;
  std::array<char, 4096> buffer{};
  ssize_t count = 0;
  while ((count = ::read(fd, buffer.data(), buffer.size())) > 0) {
    text.append(buffer.data(), static_cast<std::size_t>(count));
  }
  return text;
}

// Runs a script to its end.
ChildExit run(Loop& loop, ChildOptions options) {
  std::optional<ChildExit> ended;
  auto child = ChildProcess::start(loop.executor(), std::move(options),
                                   [&](ChildExit exit) { ended = exit; });
  EXPECT_TRUE(child) << child.error().message;
  loop.run_until([&] { return ended.has_value(); });
  EXPECT_FALSE((*child)->running());
  return *ended;
}

// Whether the process ends, soon.
bool ends(pid_t pid) {
  UniqueFd pidfd(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
  if (!pidfd.valid()) return errno == ESRCH;
  pollfd poll{.fd = pidfd.get(), .events = POLLIN, .revents = 0};
  return ::poll(&poll, 1, 20'000) == 1;
}

TEST(ChildProcess, TellsTheExitStatus) {
  Loop loop;
  ChildExit exit = run(loop, shell("exit 7"));
  EXPECT_EQ(exit.code, 7);
  EXPECT_EQ(exit.signal, 0);
  EXPECT_EQ(exit.describe(), "exited with status 7");
}

TEST(ChildProcess, TellsTheSignal) {
  Loop loop;
  ChildExit exit = run(loop, shell("kill -TERM $$"));
  EXPECT_EQ(exit.signal, SIGTERM);
  EXPECT_EQ(exit.describe(), "was killed by signal 15 (Terminated)");
}

TEST(ChildProcess, SaysWhyAProgramCannotBeStarted) {
  Loop loop;
  ChildOptions options;
  options.program = "/no/such/program";
  options.arguments = {"program"};
  auto child = ChildProcess::start(loop.executor(), std::move(options), [](ChildExit) {});
  ASSERT_FALSE(child);
  EXPECT_EQ(child.error().os_error, ENOENT);
  EXPECT_THAT(child.error().message, testing::HasSubstr("/no/such/program"));
}

TEST(ChildProcess, InheritsExactlyTheDescriptorsItIsGiven) {
  Loop loop;
  UniqueFd leaky(::open("/dev/null", O_RDONLY));  // without O_CLOEXEC
  Pipe third = make_pipe();
  Pipe fourth = make_pipe();
  ChildOptions options = shell("echo 3 >&3; echo 4 >&4; exec ls /proc/self/fd >&4");
  options.descriptors.push_back(std::move(third.in));
  options.descriptors.push_back(std::move(fourth.in));
  run(loop, std::move(options));
  EXPECT_EQ(read_to_end(third.out.get()), "3\n");
  EXPECT_EQ(read_to_end(fourth.out.get()),
            "4\n0\n1\n2\n3\n4\n5\n");  // 5: the directory that ls reads
}

TEST(ChildProcess, LeadsASessionOfItsOwnWithNoSignalBlocked) {
  Loop loop;
  Pipe pipe = make_pipe();
  sigset_t blocked;
  ::sigemptyset(&blocked);
  ::sigaddset(&blocked, SIGUSR1);
  sigset_t saved;
  ::pthread_sigmask(SIG_BLOCK, &blocked, &saved);
  ChildOptions options = shell(
      "[ $(cut -d' ' -f6 /proc/$$/stat) = $$ ] && echo leader >&3; grep SigBlk "
      "/proc/self/status >&3");
  options.descriptors.push_back(std::move(pipe.in));
  run(loop, std::move(options));
  ::pthread_sigmask(SIG_SETMASK, &saved, nullptr);
  EXPECT_EQ(read_to_end(pipe.out.get()), "leader\nSigBlk:\t0000000000000000\n");
}

TEST(ChildProcess, CapturesStandardError) {
  Loop loop;
  Pipe pipe = make_pipe();
  ChildOptions options = shell("echo lost; echo kept >&2");
  options.error_output = std::move(pipe.in);
  run(loop, std::move(options));
  EXPECT_EQ(read_to_end(pipe.out.get()), "kept\n");
}

TEST(ChildProcess, IsKilledAndReapedByTheDestructor) {
  Loop loop;
  pid_t pid = 0;
  {
    auto child = ChildProcess::start(loop.executor(), shell("trap '' TERM; sleep 600"),
                                     [](ChildExit) { FAIL() << "told after the end"; });
    ASSERT_TRUE(child);
    pid = (*child)->pid();
  }
  EXPECT_EQ(::kill(pid, 0), -1);
  EXPECT_EQ(errno, ESRCH);
  loop.settle();
}

TEST(ChildProcess, TellsWhenItWasKilled) {
  Loop loop;
  std::optional<ChildExit> ended;
  auto child = ChildProcess::start(loop.executor(), shell("sleep 600"),
                                   [&](ChildExit exit) { ended = exit; });
  ASSERT_TRUE(child);
  (*child)->kill();
  loop.run_until([&] { return ended.has_value(); });
  EXPECT_EQ(ended->signal, SIGKILL);
  EXPECT_EQ((*child)->pid(), 0);
}

// Starts `sleep` in a process of ours that then waits; tells both ids.
std::pair<pid_t, pid_t> start_in_a_host() {
  Pipe pipe = make_pipe();
  pid_t host = ::fork();
  if (host == 0) {
    Loop loop;
    ChildOptions options;
    options.program = "/bin/sleep";
    options.arguments = {"sleep", "600"};
    auto child = ChildProcess::start(loop.executor(), std::move(options), [](ChildExit) {});
    pid_t pid = child ? (*child)->pid() : 0;
    [[maybe_unused]] ssize_t written = ::write(pipe.in.get(), &pid, sizeof pid);
    while (true)
      ::pause();
  }
  pid_t pid = 0;
  EXPECT_EQ(::read(pipe.out.get(), &pid, sizeof pid), static_cast<ssize_t>(sizeof pid));
  return {host, pid};
}

TEST(ChildProcess, DiesWithItsHostWhateverKillsIt) {
  auto [host, child] = start_in_a_host();
  ASSERT_GT(child, 0);
  ASSERT_EQ(::kill(host, SIGKILL), 0);
  EXPECT_TRUE(ends(child));
  ::waitpid(host, nullptr, 0);
}

TEST(ChildProcess, DiesWithTheThreadThatStartedIt) {
  Loop loop;
  std::optional<ChildExit> ended;
  std::unique_ptr<ChildProcess> child;
  std::thread([&] {
    auto started = ChildProcess::start(loop.executor(), shell("sleep 600"),
                                       [&](ChildExit exit) { ended = exit; });
    if (started) child = std::move(*started);
  }).join();
  ASSERT_NE(child, nullptr);
  loop.run_until([&] { return ended.has_value(); });
  EXPECT_EQ(ended->signal, SIGKILL);
}

}  // namespace
}  // namespace gondolin::vm
