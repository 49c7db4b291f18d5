// A mount's provider on the event loop: hands every operation to the mount's own thread,
// where it may block, and answers when that is done.
//
// What waits for the thread is bounded by what asks: a mount stream has a fixed number of
// requests unanswered at a time. FORGET, which is never answered, does not wait.
#pragma once

#include <atomic>
#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/post.hpp>

#include "api/served_files.hpp"
#include "base/debug_log.hpp"
#include "gondolin/vfs.hpp"
#include "vfs/provider.hpp"

namespace gondolin::api {

// Belongs to the loop, but for its end: stop() must be called, by a thread that is neither
// the loop's nor the mount's, after the loop has stopped and before it is destroyed.
class ThreadedProvider final : public vfs::Provider {
 public:
  // Starts the thread. `log` must outlive the object.
  ThreadedProvider(boost::asio::any_io_executor loop, const VfsMount& mount, const DebugLog& log);
  ~ThreadedProvider() override { stop(); }

  // Whether this is the mount's thread.
  [[nodiscard]] bool here() const { return std::this_thread::get_id() == id_; }

  // Waits for the operation in progress; the others are not begun any more.
  void stop();

  // --- Provider ------------------------------------------------------------
  void restart() override;
  [[nodiscard]] std::chrono::milliseconds cache_validity() const override { return validity_; }
  void lookup(vfs::NodeId parent, std::string_view name,
              vfs::Reply<vfs::Attributes> reply) override;
  void forget(vfs::NodeId node, std::uint64_t count) override { files_.forget(node, count); }
  void create(vfs::NodeId parent, std::string_view name, std::uint32_t permissions, int flags,
              vfs::Caller caller, vfs::Reply<vfs::Created> reply) override;
  void mkdir(vfs::NodeId parent, std::string_view name, std::uint32_t permissions,
             vfs::Caller caller, vfs::Reply<vfs::Attributes> reply) override;
  void unlink(vfs::NodeId parent, std::string_view name, vfs::Reply<void> reply) override;
  void rmdir(vfs::NodeId parent, std::string_view name, vfs::Reply<void> reply) override;
  void rename(vfs::NodeId parent, std::string_view name, vfs::NodeId new_parent,
              std::string_view new_name, vfs::RenameMode mode, vfs::Reply<void> reply) override;
  void readlink(vfs::NodeId node, vfs::Reply<std::string> reply) override;
  void symlink(vfs::NodeId parent, std::string_view name, std::string_view target,
               vfs::Caller caller, vfs::Reply<vfs::Attributes> reply) override;
  void getattr(vfs::NodeId node, vfs::Reply<vfs::Attributes> reply) override;
  void setattr(vfs::NodeId node, const vfs::AttributeChanges& changes,
               vfs::Reply<vfs::Attributes> reply) override;
  void statfs(vfs::Reply<vfs::FileSystemUsage> reply) override;
  void open(vfs::NodeId node, int flags, vfs::Reply<vfs::Opened> reply) override;
  void read(vfs::NodeId node, vfs::HandleId handle, std::uint64_t offset, std::size_t size,
            vfs::Reply<Bytes> reply) override;
  void write(vfs::NodeId node, vfs::HandleId handle, std::uint64_t offset, Bytes data, int flags,
             vfs::Reply<std::size_t> reply) override;
  void flush(vfs::NodeId node, vfs::HandleId handle, vfs::Reply<void> reply) override;
  void fsync(vfs::NodeId node, vfs::HandleId handle, vfs::Reply<void> reply) override;
  void release(vfs::NodeId node, vfs::HandleId handle, vfs::Reply<void> reply) override;
  void opendir(vfs::NodeId node, vfs::Reply<vfs::Opened> reply) override;
  void readdir(vfs::NodeId node, vfs::HandleId handle, std::uint64_t offset, std::size_t limit,
               vfs::Reply<std::vector<vfs::DirectoryEntry>> reply) override;
  void releasedir(vfs::NodeId node, vfs::HandleId handle, vfs::Reply<void> reply) override;

 private:
  using Job = std::function<void()>;

  // Runs `work(ServedFiles&)` on the thread and gives what it returns to `reply`, on the
  // loop.
  template <typename T, typename Work>
  void run(vfs::Reply<T> reply, Work work);
  void push(Job job);
  void work();

  const boost::asio::any_io_executor loop_;
  const std::chrono::milliseconds validity_;
  ServedFiles files_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Job> jobs_;
  bool stopped_ = false;
  std::atomic<std::thread::id> id_;  // the thread's, until it ends
  std::thread thread_;
};

}  // namespace gondolin::api
