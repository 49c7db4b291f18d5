#include "work_pool.hpp"

#include <system_error>
#include <utility>

namespace gondolin::node {

void WorkPool::run(Work work, Work report) {
  give({std::move(work), std::move(report)}, Patience::kNow);
}

void WorkPool::dispose(std::shared_ptr<void> thing) {
  give({[thing = std::move(thing)]() mutable { thing.reset(); }, {}}, Patience::kLater);
}

void WorkPool::give(Job job, Patience patience) {
  {
    std::scoped_lock lock(mutex_);
    if (!closed_) {
      const std::size_t enough = patience == Patience::kNow ? kMaxThreads : 1;
      if (idle_ <= waiting_.size() && threads_.size() < enough) grow();
      waiting_.push_back(std::move(job));
      changed_.notify_one();
      return;
    }
  }
  job.work();
  if (job.report) job.report();
}

void WorkPool::grow() {
  join_finished();
  auto self = threads_.emplace(threads_.end());
  try {
    *self = std::thread([this, self] { serve(self); });
  } catch (const std::system_error&) {
    // The system has no more threads for us. Those that there are will do the work.
    threads_.erase(self);
    if (threads_.empty()) throw;
  }
}

void WorkPool::join_finished() {
  for (std::thread& thread : finished_)
    thread.join();
  finished_.clear();
}

void WorkPool::close() {
  std::unique_lock lock(mutex_);
  closed_ = true;
  changed_.notify_all();
  changed_.wait(lock, [this] { return threads_.empty(); });
  join_finished();
}

void WorkPool::serve(Threads::iterator self) {
  std::unique_lock lock(mutex_);
  ++idle_;
  while (true) {
    changed_.wait_for(lock, kMaxIdle, [this] { return closed_ || !waiting_.empty(); });
    if (waiting_.empty()) break;
    Job job = std::move(waiting_.front());
    waiting_.pop_front();
    --idle_;
    lock.unlock();
    job.work();
    job.work = nullptr;  // what it holds may take time to destroy
    lock.lock();
    ++idle_;
    if (!job.report) continue;
    lock.unlock();
    job.report();
    job.report = nullptr;
    lock.lock();
  }
  --idle_;
  finished_.splice(finished_.end(), threads_, self);
  changed_.notify_all();
}

}  // namespace gondolin::node
