// Hooks that take their time: nobody else waits, and no end of theirs is unsafe.

#include <dirent.h>

#include <atomic>
#include <future>
#include <thread>
#include <vector>

#include "gondolin/error.hpp"
#include "hooks_fixture.hpp"

namespace gondolin {
namespace {

using testing::End;
using ::testing::HasSubstr;
using testing::Peer;
using ::testing::StartsWith;
using testing::status_of;
using namespace std::chrono_literals;

constexpr std::string_view kSlow = "GET /slow HTTP/1.1\r\nHost: localhost\r\n\r\n";

class HookLifetime : public testing::HooksTest {
 protected:
  ~HookLifetime() override { stop_backend(); }

  // Answers every request with kOk from now on.
  void serve_backend() {
    server_ = std::thread([this] {
      while (!done_) {
        if (!backend_.called(20)) continue;
        Peer peer = backend_.accept();
        peer.read_head();
        peer.send(testing::kOk);
      }
    });
  }
  void stop_backend() {
    done_ = true;
    if (server_.joinable()) server_.join();
  }

  // Keeps the replies of "/slow" and allows the rest.
  void keep_slow_replies() {
    hooks().async_is_allowed = [this](const IngressRequest& request, HookReply<bool> reply) {
      if (request.path != "/slow") return reply.answer(true);
      std::lock_guard lock(kept_mutex_);
      kept_.push_back(std::move(reply));
      kept_changed_.notify_all();
    };
  }
  HookReply<bool> kept() {
    std::unique_lock lock(kept_mutex_);
    EXPECT_TRUE(kept_changed_.wait_for(lock, 5s, [this] { return !kept_.empty(); }));
    HookReply<bool> reply = std::move(kept_.front());
    kept_.erase(kept_.begin());
    return reply;
  }

  static std::size_t open_descriptors() {
    std::size_t count = 0;
    DIR* directory = ::opendir("/proc/self/fd");
    while (::readdir(directory) != nullptr)
      ++count;
    ::closedir(directory);
    return count;
  }

  std::mutex kept_mutex_;
  std::condition_variable kept_changed_;
  std::vector<HookReply<bool>> kept_;
  std::atomic<bool> done_ = false;
  std::thread server_;
};

TEST_F(HookLifetime, ASlowAsynchronousHookHoldsNobodyElse) {
  keep_slow_replies();
  serve_backend();
  open();
  Peer slow = ask(kSlow);
  HookReply<bool> reply = kept();
  std::vector<Peer> others;
  for (int i = 0; i < 100; ++i)
    others.push_back(ask());
  for (Peer& other : others)
    EXPECT_EQ(status_of(other.read_head()), "200");
  EXPECT_FALSE(slow.readable(0));
  reply.answer(true);
  EXPECT_EQ(status_of(slow.read_head()), "200");
}

TEST_F(HookLifetime, ASlowBlockingHookHoldsNobodyElse) {
  std::promise<void> begun;
  std::promise<void> go;
  hooks().is_allowed = [&](const IngressRequest& request) {
    if (request.path == "/slow") {
      begun.set_value();
      go.get_future().wait();
    }
    return true;
  };
  serve_backend();
  open();
  Peer slow = ask(kSlow);
  begun.get_future().wait();
  std::vector<Peer> others;
  for (int i = 0; i < 100; ++i)
    others.push_back(ask());
  for (Peer& other : others)
    EXPECT_EQ(status_of(other.read_head()), "200");
  go.set_value();
  EXPECT_EQ(status_of(slow.read_head()), "200");
}

TEST_F(HookLifetime, AnAnswerMayComeFromAnyThread) {
  keep_slow_replies();
  serve_backend();
  open();
  Peer client = ask(kSlow);
  std::thread([reply = kept()] { reply.answer(true); }).join();
  EXPECT_EQ(status_of(client.read_head()), "200");
}

TEST_F(HookLifetime, AnAnswerAfterTheClientHasLeftIsIgnored) {
  keep_slow_replies();
  serve_backend();
  open();
  Peer client = ask(kSlow);
  HookReply<bool> reply = kept();
  client.reset();
  reply.answer(true);
  EXPECT_EQ(status_of(ask().read_head()), "200");
}

TEST_F(HookLifetime, ClosingWhileAHookIsPendingIsPromptAndItsAnswerIsIgnored) {
  keep_slow_replies();
  open();
  Peer client = ask(kSlow);
  HookReply<bool> reply = kept();
  auto begun = std::chrono::steady_clock::now();
  ingress_->close();
  EXPECT_LT(std::chrono::steady_clock::now() - begun, 1s);
  EXPECT_EQ(client.end(), End::kReset);
  reply.answer(true);
}

TEST_F(HookLifetime, AnAnswerAfterTheGatewaysDestructionIsIgnored) {
  keep_slow_replies();
  open();
  Peer client = ask(kSlow);
  std::optional<HookReply<bool>> reply = kept();
  ingress_.reset();
  std::thread([&] { reply.reset(); }).join();
}

TEST_F(HookLifetime, DestructionWaitsForABlockingHookThatCloseDidNot) {
  std::promise<void> begun;
  std::promise<void> go;
  std::atomic<bool> over = false;
  hooks().is_allowed = [&](const IngressRequest&) {
    begun.set_value();
    go.get_future().wait();
    over = true;
    return true;
  };
  open();
  Peer client = ask();
  begun.get_future().wait();
  ingress_->close();
  EXPECT_FALSE(over);
  go.set_value();
  ingress_.reset();
  EXPECT_TRUE(over);
}

TEST_F(HookLifetime, BothFormsOfOneHookAreRefused) {
  hooks().is_allowed = [](const IngressRequest&) { return true; };
  hooks().async_is_allowed = [](const IngressRequest&, const HookReply<bool>&) {};
  EXPECT_THROW(open(), ApiError);
}

TEST_F(HookLifetime, TenThousandRequestsLeaveNoDescriptorAndAreAllAskedAbout) {
  std::atomic<int> asked = 0;
  hooks().async_is_allowed = [&](const IngressRequest&, const HookReply<bool>& reply) {
    ++asked;
    reply.answer(true);
  };
  hooks().on_response = [&](const IngressResponse&, const IngressRequest&) {
    ++asked;
    return IngressResponsePatch{};
  };
  options_.buffer_response_body = true;
  serve_backend();
  open();
  Peer client = connect();
  std::size_t before = 0;
  for (int i = 0; i < 10'000; ++i) {
    client.send(testing::kGet);
    ASSERT_EQ(status_of(client.read_head()), "200");
    client.expect("hi");
    if (i == 100) before = open_descriptors();
  }
  EXPECT_LE(open_descriptors(), before + 2);
  EXPECT_EQ(asked, 20'000);
}

}  // namespace
}  // namespace gondolin
