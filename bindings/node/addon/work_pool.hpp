// Threads for the library's calls that block, so that JavaScript never waits for one:
// booting a VM, opening and closing a gateway. They are not libuv's, of which there are
// four for all files and names that the program looks up. One that has had nothing to do
// for a while ends.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <deque>
#include <functional>
#include <list>
#include <memory>
#include <mutex>
#include <thread>

namespace gondolin::node {

class WorkPool {
 public:
  using Work = std::function<void()>;

  WorkPool() = default;
  WorkPool(const WorkPool&) = delete;
  WorkPool& operator=(const WorkPool&) = delete;
  ~WorkPool() { close(); }

  // From any thread: runs `work`, which must not throw, on a thread of the pool: one that
  // idles, else a new one, up to kMaxThreads. After close(), runs it at once, here. Throws
  // std::system_error when there is no thread and none can be had.
  //
  // `report`, which must be quick, is called after that, when the thread counts as idle:
  // so that who hears of the end and runs the next work finds this thread, and not a new one.
  void run(Work work, Work report = {});

  // Destroys `thing` on a thread of the pool, since that may block; nobody waits for it, so
  // that the garbage collector's hundred things at a time need no hundred threads.
  void dispose(std::shared_ptr<void> thing);

  // Waits until everything is done that was given to run(), and ends the threads. Not
  // from work of the pool.
  void close();

 private:
  using Threads = std::list<std::thread>;

  static constexpr std::size_t kMaxThreads = 64;
  static constexpr std::chrono::seconds kMaxIdle{1};

  struct Job {
    Work work;
    Work report;
  };

  enum class Patience { kNow, kLater };

  void give(Job job, Patience patience);
  // Both with the lock held.
  void grow();
  void join_finished();
  // What a thread does; it is the one at `self`.
  void serve(Threads::iterator self);

  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Job> waiting_;
  Threads threads_;       // those that serve
  Threads finished_;      // those that have ended, or are about to
  std::size_t idle_ = 0;  // that wait, or are about to
  bool closed_ = false;
};

}  // namespace gondolin::node
