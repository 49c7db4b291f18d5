// Threads for hooks that may block: as many as are needed at once, up to a limit.
//
// A thread is started when there is work and none is idle, and stays until the end. It
// keeps the pool alive, so that even a job that drops the pool's owner is safe.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

namespace gondolin::api {

// Shared by pointer. Any thread may call. close() and join() must follow before the last
// reference goes.
class HookThreads : public std::enable_shared_from_this<HookThreads> {
 public:
  explicit HookThreads(std::size_t limit) : limit_(limit) {}
  HookThreads(const HookThreads&) = delete;
  HookThreads& operator=(const HookThreads&) = delete;

  // Runs `job`, which must not throw, on one of the threads. Destroys it unrun after
  // close(), or where not even one thread can be started.
  void run(std::function<void()> job);

  // Destroys the jobs that wait; those that run go on.
  void close();
  // Waits for those, after close(). From one of the threads: for all but its own.
  void join();

 private:
  void work();
  // Whether a thread will take the newest job. The mutex is held.
  bool have_taker();

  const std::size_t limit_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::function<void()>> jobs_;
  std::vector<std::thread> threads_;
  std::size_t idle_ = 0;
  bool closed_ = false;
};

}  // namespace gondolin::api
