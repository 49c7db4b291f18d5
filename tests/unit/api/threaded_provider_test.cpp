// The mount's thread between the loop and a provider that blocks.
#include "api/threaded_provider.hpp"

#include <cerrno>
#include <chrono>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include <boost/asio/io_context.hpp>
#include <gtest/gtest.h>

namespace gondolin::api {
namespace {

using vfs::kRootNode;

// Blocks in attributes() until it is let go.
class BlockingProvider final : public VfsProvider {
 public:
  void let_go() {
    std::lock_guard lock(mutex_);
    free_ = true;
    changed_.notify_all();
  }
  void wait_until_blocked() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return blocked_; });
  }

  VfsAttributes attributes(const std::string&) override {
    std::unique_lock lock(mutex_);
    blocked_ = true;
    changed_.notify_all();
    changed_.wait(lock, [this] { return free_; });
    return {.type = FileType::kDirectory};
  }
  std::vector<FileEntry> list(const std::string&) override { return {}; }
  std::unique_ptr<VfsFile> open(const std::string&, const VfsOpen&) override { vfs_fail(ENOENT); }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  bool blocked_ = false;
  bool free_ = false;
};

class ThreadedProviderTest : public testing::Test {
 protected:
  ~ThreadedProviderTest() override {
    blocking_->let_go();
    provider_.stop();
  }

  using Answer = std::optional<vfs::Outcome<vfs::Attributes>>;
  void getattr(Answer& answer) {
    provider_.getattr(kRootNode, vfs::Reply<vfs::Attributes>(
                                     [&answer](auto outcome) { answer = std::move(outcome); }));
  }
  void run_until(const std::function<bool()>& condition) {
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(30);
    while (!condition() && std::chrono::steady_clock::now() < end) {
      loop_.restart();
      loop_.run_one_for(std::chrono::milliseconds(20));
    }
    ASSERT_TRUE(condition());
  }

  DebugLog log_;
  boost::asio::io_context loop_{1};
  std::shared_ptr<BlockingProvider> blocking_ = std::make_shared<BlockingProvider>();
  ThreadedProvider provider_{loop_.get_executor(), {.path = "/m", .provider = blocking_}, log_};
};

TEST_F(ThreadedProviderTest, AnswersOnTheLoopWhenTheProviderHas) {
  Answer answer;
  getattr(answer);
  blocking_->wait_until_blocked();
  loop_.poll();
  EXPECT_FALSE(answer.has_value());
  blocking_->let_go();
  run_until([&] { return answer.has_value(); });
  EXPECT_EQ(answer->value().kind, vfs::NodeKind::kDirectory);
}

TEST_F(ThreadedProviderTest, ARestartDropsWhatWaitsAndOutlivesWhatRuns) {
  Answer running;
  Answer waiting;
  getattr(running);
  blocking_->wait_until_blocked();
  getattr(waiting);
  provider_.restart();
  ASSERT_TRUE(waiting.has_value());
  EXPECT_EQ(waiting->error(), vfs::Errno{EIO});
  blocking_->let_go();
  run_until([&] { return running.has_value(); });
  Answer later;
  getattr(later);
  run_until([&] { return later.has_value(); });
  EXPECT_TRUE(later->has_value());
}

TEST_F(ThreadedProviderTest, ForgettingWaitsForNobody) {
  Answer answer;
  getattr(answer);
  blocking_->wait_until_blocked();
  for (int i = 0; i < 1000; ++i)
    provider_.forget(kRootNode, 1);
  blocking_->let_go();
  run_until([&] { return answer.has_value(); });
}

TEST_F(ThreadedProviderTest, TheEndWaitsForWhatRunsAndAnswersTheRestWithAnError) {
  Answer running;
  Answer waiting;
  getattr(running);
  blocking_->wait_until_blocked();
  getattr(waiting);
  blocking_->let_go();
  provider_.stop();
  loop_.restart();
  loop_.poll();
  EXPECT_TRUE(running.has_value());
  EXPECT_TRUE(!waiting || waiting->has_value() || waiting->error() == vfs::Errno{EIO});
  Answer after;
  getattr(after);
  ASSERT_TRUE(after.has_value());
  EXPECT_EQ(after->error(), vfs::Errno{EIO});
}

}  // namespace
}  // namespace gondolin::api
