// The init of the least guest that can run a program: least_guest.py makes a template of it,
// the floor of `exec -- true`. For each byte that comes on its port it starts a program of
// the image, waits for its end, and sends the byte back; once it does so unasked.
#include <fcntl.h>
#include <spawn.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>

namespace {

void need(bool done, const char* what) {
  if (done) return;
  std::perror(what);
  std::exit(1);
}

// The port comes a moment after its device, which is the second that the kernel finds.
int open_port() {
  while (true) {
    int port = ::open("/dev/vport1p1", O_RDWR | O_CLOEXEC);
    if (port >= 0) return port;
    ::usleep(1000);
  }
}

void run_program() {
  char name[] = "true";
  char path[] = "PATH=/usr/bin";
  char* arguments[] = {name, nullptr};
  char* environment[] = {path, nullptr};
  pid_t pid = 0;
  int failed = ::posix_spawn(&pid, "/usr/bin/true", nullptr, nullptr, arguments, environment);
  need(failed == 0, "posix_spawn");
  int status = 0;
  need(::waitpid(pid, &status, 0) == pid && status == 0, "true");
}

}  // namespace

int main() {
  need(::mkdir("/dev", 0755) == 0 || errno == EEXIST, "/dev");
  need(::mkdir("/root", 0755) == 0 || errno == EEXIST, "/root");
  need(::mount("none", "/dev", "devtmpfs", 0, nullptr) == 0 || errno == EBUSY, "devtmpfs");
  need(::mount("/dev/vda", "/root", "erofs", MS_RDONLY, nullptr) == 0, "the image");
  int port = open_port();
  need(::chroot("/root") == 0 && ::chdir("/") == 0, "chroot");
  char byte = 'r';
  do {
    run_program();
    need(::write(port, &byte, 1) == 1, "write");
  } while (::read(port, &byte, 1) == 1);
  need(false, "read");
}
