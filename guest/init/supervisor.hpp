// What PID 1 does once the machine is up: keeps the daemons running, reaps
// orphans, and turns the machine off when told to.
//
// A daemon that ends, for whatever reason, is started again: at once the first
// time, then after a pause that doubles up to a second while it keeps dying.
// The daemons' power-off signal, SIGTERM, SIGINT or SIGPWR to PID 1 turns the
// machine off.
//
// Daemons are executed relative to a directory that no path leads to, so nothing
// in the guest can hide, replace or delete them. They get /dev/null as stdin, the
// console as stdout and stderr, no other descriptor, and a session of their own.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <string>
#include <vector>

#include "base/unique_fd.hpp"
#include "guest/init/console.hpp"

namespace gondolin::init {

class Supervisor {
 public:
  // `initramfs` holds gondolin/NAME for every daemon. Blocks the signals that
  // run() waits for. The console must outlive this.
  Supervisor(UniqueFd initramfs, const Console& console);

  // Has a daemon started by run() with that nice value, or says that it does not exist.
  void add(const char* name, int nice);

  // Starts the daemons and looks after them until the machine is to be turned
  // off, and returns then.
  void run();

 private:
  using Clock = std::chrono::steady_clock;

  struct Daemon {
    std::string name;
    int nice;
    pid_t pid = -1;  // -1 while it waits for its next start
    Clock::time_point started;
    Clock::time_point next_start;
    Clock::duration pause{};  // before the start after the next death
  };

  void start(Daemon& daemon);
  void start_due();
  [[nodiscard]] int milliseconds_to_next_start() const;
  void reap();
  void daemon_ended(Daemon& daemon, int status);
  // Reads what arrived; true when the machine is to be turned off.
  [[nodiscard]] bool take_signals();

  UniqueFd initramfs_;
  const Console& console_;
  UniqueFd signals_;
  UniqueFd null_;
  std::vector<Daemon> daemons_;
};

// Ends every process, politely for up to a second, writes what is buffered and
// stops the machine. Does not return.
[[noreturn]] void power_off(const Console& console);

}  // namespace gondolin::init
