// Runs programs of this machine and waits for them.
#pragma once

#include <chrono>
#include <string>
#include <vector>

namespace gondolin::test {

struct CommandResult {
  int status = 0;  // exit status, or 128 plus the signal
  std::string output;
  std::string errors;
};

// Runs argv[0] from PATH with `input` on stdin. It is killed when `limit` passes,
// which makes the status 137.
[[nodiscard]] CommandResult run(const std::vector<std::string>& argv, const std::string& input = {},
                                std::chrono::seconds limit = std::chrono::seconds(120));

// A process that goes on beside the test; killed when destroyed.
class BackgroundCommand {
 public:
  explicit BackgroundCommand(const std::vector<std::string>& argv);
  ~BackgroundCommand();
  BackgroundCommand(const BackgroundCommand&) = delete;
  BackgroundCommand& operator=(const BackgroundCommand&) = delete;

  [[nodiscard]] int pid() const { return pid_; }
  // Sends a signal.
  void kill(int signal) const;
  // Waits for the end; the status as in CommandResult.
  int wait();
  // All that stderr has shown, to be asked for once the process has ended.
  std::string errors();
  // Waits until stderr has shown `text` and returns all of stderr so far; fails the
  // test when the process ends, or `limit` passes, before.
  std::string wait_for_errors(const std::string& text,
                              std::chrono::seconds limit = std::chrono::seconds(120));

 private:
  int pid_ = -1;
  int errors_fd_ = -1;
  std::string errors_;
};

// The pids of the processes whose parent is `pid`, from /proc.
[[nodiscard]] std::vector<int> children_of(int pid);

// Whether the process exists and is not a zombie.
[[nodiscard]] bool process_exists(int pid);

// Calls `condition` until it holds; false when `limit` passes first. For state of
// other processes that has no event to wait for.
template <typename Condition>
[[nodiscard]] bool eventually(Condition condition,
                              std::chrono::milliseconds limit = std::chrono::seconds(30));

}  // namespace gondolin::test

#include <poll.h>

template <typename Condition>
bool gondolin::test::eventually(Condition condition, std::chrono::milliseconds limit) {
  auto end = std::chrono::steady_clock::now() + limit;
  while (!condition()) {
    if (std::chrono::steady_clock::now() > end) return false;
    ::poll(nullptr, 0, 5);
  }
  return true;
}
