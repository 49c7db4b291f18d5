#include "api/threaded_provider.hpp"

#include <optional>

namespace gondolin::api {

using vfs::HandleId;
using vfs::NodeId;
using vfs::Reply;

ThreadedProvider::ThreadedProvider(boost::asio::any_io_executor loop, const VfsMount& mount,
                                   const DebugLog& log)
    : loop_(std::move(loop)),
      validity_(mount.cache_validity),
      files_(mount,
             [&log, path = mount.path](const std::string& line) {
               if (log.enabled(DebugTopic::kVfs)) {
                 log.line(DebugTopic::kVfs, "mount " + path + ": " + line);
               }
             }),
      thread_([this] { work(); }) {}

void ThreadedProvider::stop() {
  std::deque<Job> dropped;  // their replies are owed to nobody any more
  {
    std::lock_guard lock(mutex_);
    stopped_ = true;
    dropped.swap(jobs_);
    changed_.notify_all();
  }
  if (thread_.joinable()) thread_.join();
}

void ThreadedProvider::work() {
  id_ = std::this_thread::get_id();
  std::unique_lock lock(mutex_);
  while (true) {
    changed_.wait(lock, [this] { return stopped_ || !jobs_.empty(); });
    if (stopped_) break;
    Job job = std::move(jobs_.front());
    jobs_.pop_front();
    lock.unlock();
    job();
    job = nullptr;
    lock.lock();
  }
  id_ = std::thread::id();
}

void ThreadedProvider::push(Job job) {
  std::lock_guard lock(mutex_);
  if (stopped_) return;
  jobs_.push_back(std::move(job));
  changed_.notify_one();
}

void ThreadedProvider::restart() {
  // What the last mount still asks for is of no use, and goes here, on the loop.
  std::deque<Job> dropped;
  std::lock_guard lock(mutex_);
  dropped.swap(jobs_);
  if (stopped_) return;
  jobs_.push_back([this] { files_.restart(); });
  changed_.notify_one();
}

// The reply travels there and back, and is touched on the loop alone.
template <typename T, typename Work>
void ThreadedProvider::run(Reply<T> reply, Work work) {
  auto owed = std::make_shared<Reply<T>>(std::move(reply));
  push([this, owed = std::move(owed), work = std::move(work)]() mutable {
    auto outcome = std::make_shared<decltype(work(files_))>(work(files_));
    boost::asio::post(loop_, [owed = std::move(owed), outcome = std::move(outcome)]() mutable {
      if constexpr (std::is_same_v<T, Bytes>) {
        if (*outcome) return (*owed)(Bytes(**outcome));
        (*owed)(tl::unexpected(outcome->error()));
      } else {
        (*owed)(std::move(*outcome));
      }
    });
  });
}

void ThreadedProvider::lookup(NodeId parent, std::string_view name, Reply<vfs::Attributes> reply) {
  run(std::move(reply), [parent, name = std::string(name)](ServedFiles& files) {
    return files.lookup(parent, name);
  });
}

void ThreadedProvider::create(NodeId parent, std::string_view name, std::uint32_t permissions,
                              int flags, vfs::Caller, Reply<vfs::Created> reply) {
  run(std::move(reply), [parent, name = std::string(name), permissions, flags](ServedFiles& files) {
    return files.create(parent, name, permissions, flags);
  });
}

void ThreadedProvider::mkdir(NodeId parent, std::string_view name, std::uint32_t permissions,
                             vfs::Caller, Reply<vfs::Attributes> reply) {
  run(std::move(reply), [parent, name = std::string(name), permissions](ServedFiles& files) {
    return files.mkdir(parent, name, permissions);
  });
}

void ThreadedProvider::unlink(NodeId parent, std::string_view name, Reply<void> reply) {
  run(std::move(reply), [parent, name = std::string(name)](ServedFiles& files) {
    return files.unlink(parent, name);
  });
}

void ThreadedProvider::rmdir(NodeId parent, std::string_view name, Reply<void> reply) {
  run(std::move(reply),
      [parent, name = std::string(name)](ServedFiles& files) { return files.rmdir(parent, name); });
}

void ThreadedProvider::rename(NodeId parent, std::string_view name, NodeId new_parent,
                              std::string_view new_name, vfs::RenameMode mode, Reply<void> reply) {
  run(std::move(reply),
      [parent, name = std::string(name), new_parent, new_name = std::string(new_name), mode](
          ServedFiles& files) { return files.rename(parent, name, new_parent, new_name, mode); });
}

void ThreadedProvider::readlink(NodeId node, Reply<std::string> reply) {
  run(std::move(reply), [node](ServedFiles& files) { return files.readlink(node); });
}

void ThreadedProvider::symlink(NodeId parent, std::string_view name, std::string_view target,
                               vfs::Caller, Reply<vfs::Attributes> reply) {
  run(std::move(reply), [parent, name = std::string(name), target = std::string(target)](
                            ServedFiles& files) { return files.symlink(parent, name, target); });
}

void ThreadedProvider::getattr(NodeId node, Reply<vfs::Attributes> reply) {
  run(std::move(reply), [node](ServedFiles& files) { return files.getattr(node); });
}

void ThreadedProvider::setattr(NodeId node, const vfs::AttributeChanges& changes,
                               Reply<vfs::Attributes> reply) {
  run(std::move(reply),
      [node, changes](ServedFiles& files) { return files.setattr(node, changes); });
}

void ThreadedProvider::statfs(Reply<vfs::FileSystemUsage> reply) {
  run(std::move(reply), [](ServedFiles& files) { return files.statfs(); });
}

void ThreadedProvider::open(NodeId node, int flags, Reply<vfs::Opened> reply) {
  run(std::move(reply), [node, flags](ServedFiles& files) { return files.open(node, flags); });
}

void ThreadedProvider::read(NodeId, HandleId handle, std::uint64_t offset, std::size_t size,
                            Reply<Bytes> reply) {
  run(std::move(reply),
      [handle, offset, size](ServedFiles& files) { return files.read(handle, offset, size); });
}

void ThreadedProvider::write(NodeId, HandleId handle, std::uint64_t offset, Bytes data, int,
                             Reply<std::size_t> reply) {
  run(std::move(reply), [handle, offset, data = ByteBuffer(data.begin(), data.end())](
                            ServedFiles& files) { return files.write(handle, offset, data); });
}

void ThreadedProvider::flush(NodeId, HandleId handle, Reply<void> reply) {
  run(std::move(reply), [handle](ServedFiles& files) { return files.flush(handle); });
}

void ThreadedProvider::fsync(NodeId, HandleId handle, Reply<void> reply) {
  run(std::move(reply), [handle](ServedFiles& files) { return files.fsync(handle); });
}

void ThreadedProvider::release(NodeId, HandleId handle, Reply<void> reply) {
  run(std::move(reply), [handle](ServedFiles& files) { return files.release(handle); });
}

void ThreadedProvider::opendir(NodeId node, Reply<vfs::Opened> reply) {
  run(std::move(reply), [node](ServedFiles& files) { return files.opendir(node); });
}

void ThreadedProvider::readdir(NodeId, HandleId handle, std::uint64_t offset, std::size_t limit,
                               Reply<std::vector<vfs::DirectoryEntry>> reply) {
  run(std::move(reply),
      [handle, offset, limit](ServedFiles& files) { return files.readdir(handle, offset, limit); });
}

void ThreadedProvider::releasedir(NodeId, HandleId handle, Reply<void> reply) {
  run(std::move(reply), [handle](ServedFiles& files) { return files.release(handle); });
}

}  // namespace gondolin::api
