#include "api/hook_threads.hpp"

#include <new>
#include <system_error>
#include <utility>

namespace gondolin::api {

void HookThreads::run(std::function<void()> job) {
  std::unique_lock lock(mutex_);
  if (closed_) return;
  jobs_.push_back(std::move(job));
  if (have_taker()) {
    changed_.notify_one();
    return;
  }
  job = std::move(jobs_.back());
  jobs_.pop_back();
}

bool HookThreads::have_taker() {
  if (idle_ >= jobs_.size() || threads_.size() >= limit_) return true;
  try {
    threads_.emplace_back([self = shared_from_this()] { self->work(); });
    return true;
  } catch (const std::system_error&) {
    return !threads_.empty();
  } catch (const std::bad_alloc&) {
    return !threads_.empty();
  }
}

void HookThreads::work() {
  std::unique_lock lock(mutex_);
  for (;;) {
    ++idle_;
    changed_.wait(lock, [this] { return closed_ || !jobs_.empty(); });
    --idle_;
    if (jobs_.empty()) return;
    std::function<void()> job = std::move(jobs_.front());
    jobs_.pop_front();
    lock.unlock();
    job();
    job = nullptr;
    lock.lock();
  }
}

void HookThreads::close() {
  std::deque<std::function<void()>> dropped;
  std::lock_guard lock(mutex_);
  closed_ = true;
  dropped.swap(jobs_);
  changed_.notify_all();
}

void HookThreads::join() {
  std::vector<std::thread> threads;
  {
    std::lock_guard lock(mutex_);
    threads.swap(threads_);
  }
  for (std::thread& thread : threads) {
    if (thread.get_id() == std::this_thread::get_id()) {
      thread.detach();
    } else {
      thread.join();
    }
  }
}

}  // namespace gondolin::api
