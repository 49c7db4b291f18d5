// vfs_mount SANDBOXFS COMMAND...: runs COMMAND on this machine with /etc/gondolin as
// a guest sees it, served by the real VFS through the real sandboxfs and kernel, the
// port between them being a socketpair. Everything happens in a mount namespace of
// its own, whose /etc is an empty tmpfs. Needs root and /dev/fuse. Each settled state
// of `listeners` is told on stderr; the exit status is COMMAND's. SIGHUP makes the
// host's end start over, as after a guest was restored from a template.
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <system_error>

#include "base/unique_fd.hpp"
#include "vfs/config_directory.hpp"
#include "vfs/fs_link.hpp"

namespace gondolin::vfs {
namespace {

volatile sig_atomic_t hangups = 0;

[[noreturn]] void die(const std::string& what) {
  std::fprintf(stderr, "vfs_mount: %s: %s\n", what.c_str(),
               std::generic_category().message(errno).c_str());
  std::exit(125);
}

void enter_namespace() {
  if (::unshare(CLONE_NEWNS) != 0) die("unshare");
  if (::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0) die("private mounts");
  if (::mount("tmpfs", "/etc", "tmpfs", 0, nullptr) != 0) die("tmpfs on /etc");
  if (::mkdir("/etc/gondolin", 0755) != 0) die("mkdir");
}

pid_t start(char* const* command, int keep_fd) {
  const pid_t pid = ::fork();
  if (pid < 0) die("fork");
  if (pid > 0) return pid;
  if (keep_fd >= 0) ::fcntl(keep_fd, F_SETFD, 0);
  ::execvp(command[0], command);
  die(command[0]);
}

class Host {
 public:
  explicit Host(int port) : port_(port) {
    directory_.set_status("generation 1\n");
    directory_.on_listeners_change([this](const ListenersSnapshot& now) {
      std::fprintf(stderr, "[%llu] %s\n", static_cast<unsigned long long>(now.version),
                   now.content ? printable(now.content->substr(0, 60)).c_str() : "(missing)");
      directory_.set_status("generation " + std::to_string(now.version) + "\n");
    });
  }

  [[nodiscard]] bool mounted() const { return mounted_; }

  // One turn of the loop FsLink's header describes; waits for at most `limit_ms`.
  void turn(int limit_ms) {
    if (hangups != seen_hangups_) {
      seen_hangups_ = hangups;
      link_.restart();
    }
    pollfd wanted{.fd = port_, .events = 0, .revents = 0};
    if (!link_.output().empty()) wanted.events |= POLLOUT;
    if (!link_.input_space().empty()) wanted.events |= POLLIN;
    if (::poll(&wanted, 1, limit_ms) < 0 && errno != EINTR) die("poll");
    if ((wanted.revents & POLLOUT) != 0) write();
    if ((wanted.revents & POLLIN) != 0) read();
    take_events();
  }

 private:
  void write() {
    const Bytes out = link_.output();
    const ssize_t count = ::write(port_, out.data(), out.size());
    if (count < 0 && errno != EAGAIN) die("port");
    if (count > 0) link_.output_sent(static_cast<std::size_t>(count));
  }

  void read() {
    const MutableBytes space = link_.input_space();
    const ssize_t count = ::read(port_, space.data(), space.size());
    if (count == 0) die("sandboxfs is gone");
    if (count > 0) link_.input_received(static_cast<std::size_t>(count));
  }

  void take_events() {
    while (true) {
      const auto event = link_.next_event();
      if (!event) {
        std::fprintf(stderr, "vfs_mount: %s\n", event.error().message.c_str());
        std::exit(125);
      }
      if (!*event) return;
      mounted_ = **event == FsEvent::kMounted;
    }
  }

  int port_;
  bool mounted_ = false;
  sig_atomic_t seen_hangups_ = 0;
  DebugLog log_{std::getenv("GONDOLIN_DEBUG") ? *DebugTopics::parse("vfs") : DebugTopics(),
                [](DebugTopic, std::string_view line) {
                  std::fprintf(stderr, "%.*s\n", static_cast<int>(line.size()), line.data());
                }};
  ConfigDirectory directory_{"# <prefix> :<port>\n"};
  FsLink link_{directory_, log_, [] {}};
};

int run(char** arguments) {
  ::signal(SIGHUP, [](int) { hangups = hangups + 1; });
  enter_namespace();
  std::array<int, 2> pair{};
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair.data()) != 0) {
    die("socketpair");
  }
  UniqueFd ours(pair[0]);
  UniqueFd theirs(pair[1]);
  std::string option = "--port-fd";
  std::string number = std::to_string(theirs.get());
  std::array<char*, 4> daemon = {arguments[1], option.data(), number.data(), nullptr};
  const pid_t daemon_pid = start(daemon.data(), theirs.get());
  theirs.reset();

  Host host(ours.get());
  while (!host.mounted())
    host.turn(-1);
  const pid_t command = start(arguments + 2, -1);
  int status = 0;
  while (::waitpid(command, &status, WNOHANG) == 0)
    host.turn(10);
  ours.reset();
  ::waitpid(daemon_pid, nullptr, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 126;
}

}  // namespace
}  // namespace gondolin::vfs

int main(int argc, char** argv) {
  if (argc < 3) {
    std::fprintf(stderr, "usage: %s SANDBOXFS COMMAND...\n", argv[0]);
    return 125;
  }
  return gondolin::vfs::run(argv);
}
