// A process confined as `gondolin gateway` is tries what somebody who has taken it over
// would: programs, files, ports, other processes.

#include "cli/confinement.hpp"

#include <fcntl.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>
#include <string>

#include <gtest/gtest.h>

#include "cli/commands.hpp"

namespace gondolin::cli {
namespace {

class Confinement : public testing::Test {
 protected:
  Confinement() {
    std::string path = (std::filesystem::temp_directory_path() / "gondolin-XXXXXX").string();
    EXPECT_NE(::mkdtemp(path.data()), nullptr);
    directory_ = path;
    std::ofstream(directory_ / "listeners") << "/ :1\n";
  }
  ~Confinement() override { std::filesystem::remove_all(directory_); }

  // What `act` returns in a child that has confined itself. `act` must not use GoogleTest.
  int confined(const std::function<int()>& act) {
    pid_t pid = ::fork();
    if (pid == 0) {
      try {
        confine_files({directory_}, 0);
        confine_calls({kServingCalls, kGatewayCalls});
      } catch (const CommandError&) {
        ::_exit(250);
      }
      ::_exit(act());
    }
    int status = 0;
    EXPECT_EQ(::waitpid(pid, &status, 0), pid);
    EXPECT_TRUE(WIFEXITED(status)) << "signal " << WTERMSIG(status);
    return WEXITSTATUS(status);
  }

  static std::string read(const std::filesystem::path& path) {
    std::ifstream file(path);
    return {std::istreambuf_iterator<char>(file), {}};
  }

  // The errno of a call that returns -1 to fail, 0 when it succeeds.
  static int outcome(long returned) { return returned < 0 ? errno : 0; }

  static int socket_of(int family, int type, int protocol) {
    return outcome(::socket(family, type, protocol));
  }

  std::filesystem::path directory_;
};

TEST_F(Confinement, StartsNoProgramAndNoProcess) {
  EXPECT_EQ(confined([] {
              char program[] = "/bin/true";
              char* arguments[] = {program, nullptr};
              return outcome(::execv(program, arguments));
            }),
            EPERM);
  EXPECT_EQ(confined([] { return outcome(::fork()); }), EPERM);
}

TEST_F(Confinement, TouchesNoOtherProcess) {
  pid_t parent = ::getpid();
  EXPECT_EQ(confined([&] { return outcome(::kill(parent, 0)); }), EPERM);
  EXPECT_EQ(confined([&] { return outcome(::ptrace(PTRACE_ATTACH, parent, nullptr, nullptr)); }),
            EPERM);
}

TEST_F(Confinement, ReadsTheListenersFilesDirectoryAndWritesNothing) {
  auto file = directory_ / "listeners";
  EXPECT_EQ(confined([&] { return outcome(::open(file.c_str(), O_RDONLY)); }), 0);
  EXPECT_EQ(confined([&] { return outcome(::open(file.c_str(), O_WRONLY)); }), EPERM);
  EXPECT_EQ(confined([&] { return outcome(::open((directory_ / "new").c_str(), O_CREAT, 0600)); }),
            EPERM);
  EXPECT_EQ(confined([&] { return outcome(::unlink(file.c_str())); }), EPERM);
  EXPECT_EQ(confined([&] { return outcome(::rename(file.c_str(), "/tmp/x")); }), EPERM);
  EXPECT_TRUE(std::filesystem::exists(file));
}

TEST_F(Confinement, ReadsNoFileElsewhere) {
  const int denied = confinement_support().landlock_abi > 0 ? EACCES : 0;
  EXPECT_EQ(confined([] { return outcome(::open("/etc/passwd", O_RDONLY)); }), denied);
  EXPECT_EQ(confined([] { return outcome(::open("/proc/self/environ", O_RDONLY)); }), denied);
}

TEST_F(Confinement, SpeaksTcpAndSockDiagOnly) {
  EXPECT_EQ(confined([] { return socket_of(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0); }), 0);
  EXPECT_EQ(confined([] { return socket_of(AF_INET6, SOCK_STREAM | SOCK_NONBLOCK, 0); }), 0);
  EXPECT_EQ(confined([] { return socket_of(AF_NETLINK, SOCK_RAW, NETLINK_SOCK_DIAG); }), 0);
  EXPECT_EQ(confined([] { return socket_of(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE); }), EPERM);
  EXPECT_EQ(confined([] { return socket_of(AF_INET, SOCK_DGRAM, 0); }), EPERM);
  EXPECT_EQ(confined([] { return socket_of(AF_INET, SOCK_RAW, IPPROTO_ICMP); }), EPERM);
  EXPECT_EQ(confined([] { return socket_of(AF_UNIX, SOCK_STREAM, 0); }), EPERM);
  EXPECT_EQ(confined([] {
              int fd = ::socket(AF_INET, SOCK_STREAM, 0);
              sockaddr_in address{};
              address.sin_family = AF_INET;
              return outcome(::bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof address));
            }),
            EPERM);
}

TEST_F(Confinement, MakesNoMemoryExecutable) {
  auto map = [](int protection) {
    void* page = ::mmap(nullptr, 4096, protection, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return page == MAP_FAILED ? errno : 0;
  };
  EXPECT_EQ(confined([&] { return map(PROT_READ | PROT_WRITE); }), 0);
  EXPECT_EQ(confined([&] { return map(PROT_READ | PROT_EXEC); }), EPERM);
}

// As `exec` and `bash` are: no file at all, no socket, and its own children alone.
TEST_F(Confinement, ASessionOpensNothingAndEndsItsOwnChildrenOnly) {
  const pid_t parent = ::getpid();
  const std::string file = (directory_ / "listeners").string();
  auto session = [&](const std::function<int(pid_t child)>& act) {
    pid_t pid = ::fork();
    if (pid == 0) {
      const pid_t child = ::fork();
      while (child == 0)
        ::pause();
      confine_calls({kServingCalls, kSessionCalls, calls_to_end_children()});
      const int result = act(child);
      ::kill(child, SIGKILL);
      ::_exit(::waitpid(child, nullptr, 0) == child ? result : 251);
    }
    int status = 0;
    EXPECT_EQ(::waitpid(pid, &status, 0), pid);
    EXPECT_TRUE(WIFEXITED(status));
    return WEXITSTATUS(status);
  };
  EXPECT_EQ(session([&](pid_t) { return outcome(::open(file.c_str(), O_RDONLY)); }), EPERM);
  EXPECT_EQ(session([&](pid_t) { return outcome(::unlink(file.c_str())); }), EPERM);
  EXPECT_EQ(session([&](pid_t) { return socket_of(AF_INET, SOCK_STREAM, 0); }), EPERM);
  EXPECT_EQ(session([&](pid_t) { return socket_of(AF_UNIX, SOCK_STREAM, 0); }), EPERM);
  EXPECT_EQ(session([&](pid_t) { return outcome(::fork()); }), EPERM);
  EXPECT_EQ(session([&](pid_t) { return outcome(::kill(parent, SIGKILL)); }), EPERM);
  EXPECT_EQ(session([&](pid_t child) { return outcome(::kill(child, SIGSTOP)); }), EPERM);
  EXPECT_EQ(session([](pid_t) { return 0; }), 0) << "and it ends and reaps its child";
}

TEST_F(Confinement, StartsNoThread) {
  EXPECT_EQ(confined([] {
              pthread_t thread{};
              return ::pthread_create(
                  &thread, nullptr, [](void*) -> void* { return nullptr; }, nullptr);
            }),
            EPERM);
}

TEST_F(Confinement, GainsNoPrivileges) {
  pid_t pid = ::fork();
  if (pid == 0) {
    confine_files({directory_}, 0);
    confine_calls({kServingCalls, kGatewayCalls});
    ::raise(SIGSTOP);
    ::_exit(0);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(pid, &status, WUNTRACED), pid);
  std::string text = read("/proc/" + std::to_string(pid) + "/status");
  EXPECT_NE(text.find("NoNewPrivs:\t1"), std::string::npos) << text;
  EXPECT_NE(text.find("Seccomp:\t2"), std::string::npos) << text;
  ::kill(pid, SIGKILL);
  ::waitpid(pid, &status, 0);
}

TEST_F(Confinement, CanStillAbort) {
  pid_t pid = ::fork();
  if (pid == 0) {
    confine_calls({kServingCalls, kGatewayCalls});
    std::abort();
  }
  int status = 0;
  ASSERT_EQ(::waitpid(pid, &status, 0), pid);
  EXPECT_TRUE(WIFSIGNALED(status));
  EXPECT_EQ(WTERMSIG(status), SIGABRT);
}

// The program itself; that it still serves is what all of tests/wire shows.
TEST_F(Confinement, IsInForceInEveryThreadOfTheGateway) {
  std::array<int, 2> output{};
  ASSERT_EQ(::pipe(output.data()), 0);
  std::string listeners = (directory_ / "listeners").string();
  pid_t pid = ::fork();
  if (pid == 0) {
    ::dup2(output[1], STDOUT_FILENO);
    ::execl(GONDOLIN_PROGRAM, "gondolin", "gateway", "--listeners", listeners.c_str(), "--listen",
            "127.0.0.1:0", nullptr);
    ::_exit(127);
  }
  ::close(output[1]);
  std::array<char, 256> line{};
  ASSERT_GT(::read(output[0], line.data(), line.size() - 1), 0);
  EXPECT_EQ(std::string(line.data()).rfind("Ingress enabled: ", 0), 0U);
  int threads = 0;
  std::filesystem::path tasks = "/proc/" + std::to_string(pid) + "/task";
  for (const auto& thread : std::filesystem::directory_iterator(tasks)) {
    std::string status = read(thread.path() / "status");
    EXPECT_NE(status.find("NoNewPrivs:\t1"), std::string::npos) << status;
    EXPECT_NE(status.find("Seccomp:\t2"), std::string::npos) << status;
    ++threads;
  }
  EXPECT_EQ(threads, 2);
  ::kill(pid, SIGTERM);
  int status = 0;
  ASSERT_EQ(::waitpid(pid, &status, 0), pid);
  EXPECT_EQ(status, 0);
  ::close(output[0]);
}

}  // namespace
}  // namespace gondolin::cli
