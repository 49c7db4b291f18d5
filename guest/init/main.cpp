// `init`: PID 1 of the guest.
//
// The kernel starts it as /init in the initramfs. It loads the modules that reach
// the disk, makes the image's file system under a tmpfs overlay the root, starts
// sandboxd, sandboxfs, sandboxingress and sandboxmounts, and looks after them until
// the machine is turned off. It must never exit: the kernel panics when PID 1 does. When the
// machine cannot start it says why on the console and stops the machine, so that
// the host sees an end and not a hang.

#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "guest/init/console.hpp"
#include "guest/init/files.hpp"
#include "guest/init/modules.hpp"
#include "guest/init/root.hpp"
#include "guest/init/supervisor.hpp"
#include "guest/programs.hpp"

namespace gondolin::init {
namespace {

// sandboxd is not interrupted after each piece by the program that it feeds on the same
// processor: under emulation, where a switch between processes forgets most of what was
// translated, that made a transfer a third as fast. The others lose a little by it.
constexpr int kBeforeItsPrograms = -15;

// Room for daemons and servers that hold many connections; the rest is up to
// setrlimit(2) in whoever wants more.
void raise_limits(const Console& console) {
  const rlimit files{.rlim_cur = 16384, .rlim_max = 524288};
  if (::setrlimit(RLIMIT_NOFILE, &files) != 0) console.error("raising the file limit failed");
}

[[noreturn]] void stop(const Console& console, const Error& error) {
  console.error("the machine cannot start: " + error.message);
  power_off(console);
}

[[noreturn]] void run() {
  ::umask(022);
  const auto mounted = mount_kernel_file_systems();
  const Console console;
  if (!mounted) stop(console, mounted.error());
  console.debug("started");

  auto disk = DiskWaiter::create();
  if (!disk) stop(console, disk.error());
  load_modules(console);
  console.debug("modules loaded");
  if (auto there = disk->wait_for("/dev/vda"); !there) stop(console, there.error());
  auto initramfs = switch_root();
  if (!initramfs) stop(console, initramfs.error());
  console.debug("root mounted");
  furnish_root(console);
  raise_limits(console);
  if (auto written = write_file("/proc/self/oom_score_adj", "-1000"); !written)
    console.error(written.error().message);

  Supervisor supervisor(std::move(*initramfs), console);
  supervisor.add("sandboxd", kBeforeItsPrograms);
  for (const char* daemon : {"sandboxfs", "sandboxingress", "sandboxmounts"})
    supervisor.add(daemon, 0);
  console.debug("starting the daemons");
  supervisor.run();
  power_off(console);
}

}  // namespace
}  // namespace gondolin::init

namespace gondolin {

int guest::init(int /*argc*/, char** /*argv*/) {
  // Started by hand on a running machine it would unmount and kill things there.
  if (::getpid() != 1) {
    static constexpr char kText[] = "init: only the kernel of a guest starts this program\n";
    static_cast<void>(::write(STDERR_FILENO, kText, sizeof kText - 1));
    return 1;
  }
  gondolin::init::run();
}

}  // namespace gondolin
