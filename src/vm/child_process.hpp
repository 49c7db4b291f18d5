// A program that runs as our child and never outlives us.
//
// It is killed by the kernel when the thread that started it ends, however that
// happens; by the destructor otherwise; and it is always reaped. It runs in a session
// of its own, out of reach of a terminal's Ctrl-C, with an empty signal mask, without
// any privilege, and inherits exactly the descriptors it is given.
#pragma once

#include <sys/types.h>

#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include <boost/asio/any_io_executor.hpp>

#include "base/result.hpp"
#include "base/unique_fd.hpp"

namespace gondolin::vm {

// How a process ended.
struct ChildExit {
  int code = 0;    // its exit status, when no signal killed it
  int signal = 0;  // the signal that killed it, 0 for none

  // "exited with status 1", "was killed by signal 9 (Killed)".
  [[nodiscard]] std::string describe() const;
};

// Who a child runs as, instead of us. Needs the privileges to change users.
struct ChildUser {
  uid_t uid;
  gid_t gid;
  std::optional<gid_t> further_group;  // the only one besides
};

struct ChildOptions {
  std::string program;                 // a path; PATH is not searched
  std::vector<std::string> arguments;  // argv[0] included
  // Become the descriptors 3, 4, … of the program, in this order; at most 16. Its
  // standard input and output are /dev/null.
  std::vector<UniqueFd> descriptors{};
  UniqueFd error_output{};          // its standard error; /dev/null when none is given
  std::optional<ChildUser> user{};  // nothing: ours
  UniqueFd landlock{};              // a ruleset to put in force; none: none
};

class ChildProcess {
 public:
  // Starts the program, returning when it has been executed; the given descriptors
  // are closed here. Call it on the thread that runs `executor`, whose end will be
  // the child's. `on_exit` is called once, from the loop, when the program has ended
  // by itself or by kill(); never after the ChildProcess is destroyed.
  [[nodiscard]] static Result<std::unique_ptr<ChildProcess>> start(
      const boost::asio::any_io_executor& executor, ChildOptions options,
      std::function<void(ChildExit)> on_exit);

  ChildProcess(const ChildProcess&) = delete;
  ChildProcess& operator=(const ChildProcess&) = delete;
  // Kills the program if it runs and waits for its end, which takes milliseconds.
  ~ChildProcess();

  // 0 once it has ended.
  [[nodiscard]] pid_t pid() const;
  [[nodiscard]] bool running() const { return pid() != 0; }

  // SIGKILL; on_exit follows.
  void kill();

 private:
  class Watch;
  explicit ChildProcess(std::shared_ptr<Watch> watch);

  std::shared_ptr<Watch> watch_;
};

}  // namespace gondolin::vm
