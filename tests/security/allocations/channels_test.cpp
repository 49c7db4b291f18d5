// Every allocation of the channels between QEMU's sockets and their streams fails once: a stream
// ends, or its channel starts over, and the next stream is served as ever. The guest end is
// another thread's, whose allocations succeed.

#include <array>
#include <chrono>
#include <new>
#include <string>
#include <thread>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <gtest/gtest.h>

#include "failing_new.hpp"
#include "unit/vfs/fuse_guest.hpp"
#include "unit/vm/support.hpp"
#include "vfs/config_directory.hpp"
#include "vfs/fuse_session.hpp"
#include "vm/mux_channel.hpp"

namespace gondolin::vm {
namespace {

using namespace std::chrono_literals;
using EventKind = wire::MuxEvent::Kind;

void echo(wire::Mux& mux, const wire::MuxEvent& event) {
  if (event.kind == EventKind::kOpen) mux.accept(event.stream);
  if (event.kind == EventKind::kReadable) {
    const std::size_t taken = mux.write(event.stream, mux.read(event.stream));
    mux.consume(event.stream, taken);
  }
  if (event.kind == EventKind::kEnd) {
    mux.finish(event.stream);
    mux.close(event.stream);
  }
  if (event.kind == EventKind::kReset) mux.close(event.stream);
}

// A daemon on a thread of its own.
class GuestThread {
 public:
  explicit GuestThread(UniqueFd socket)
      : end_(std::make_shared<GuestEnd>(context_.get_executor(), std::move(socket), echo)) {
    end_->start();
    thread_ = std::thread([this] { context_.run(); });
  }
  ~GuestThread() {
    asio::post(context_, [this] { end_->close(); });
    work_.reset();
    thread_.join();
  }

 private:
  asio::io_context context_{1};
  asio::executor_work_guard<asio::io_context::executor_type> work_{context_.get_executor()};
  std::shared_ptr<GuestEnd> end_;
  std::thread thread_;
};

class AllocationFailureInAChannel : public testing::Test {
 protected:
  AllocationFailureInAChannel() {
    auto pair = make_socket_pair();
    guest_ = std::make_unique<GuestThread>(std::move(pair.theirs));
    channel_ = std::make_unique<MuxChannel>(context_.get_executor(), std::move(pair.ours), "test",
                                            [](const ChannelEvent&) {});
  }
  ~AllocationFailureInAChannel() override {
    channel_->close();
    run_until([] { return false; }, 10ms);
  }

  // As the loop of a VM does: a handler without memory is lost, the others go on.
  template <typename Condition>
  bool run_until(Condition condition, std::chrono::milliseconds limit = 20s) {
    const auto end = std::chrono::steady_clock::now() + limit;
    while (!condition()) {
      if (std::chrono::steady_clock::now() > end) return false;
      context_.restart();
      try {
        context_.run_one_for(5ms);
      } catch (const std::bad_alloc&) {
        continue;
      }
    }
    return true;
  }

  enum class Outcome { kEchoed, kFailed, kStuck };

  // Says something to the guest and waits for the echo; `before` is called first.
  template <typename Before>
  Outcome talk(Before before) {
    struct Ending {
      ~Ending() { over = true; }
      bool& over;
    };
    static constexpr std::string_view kWords = "some words that are no short string";
    bool over = false;
    bool echoed = false;
    auto conversation = [&](MuxChannel& channel) -> Awaitable<void> {
      const Ending ending{over};
      before();
      auto stream = channel.open(as_bytes("target"));
      if (!stream) co_return;
      if (!co_await (*stream)->opened()) co_return;
      std::array<Bytes, 1> parts{as_bytes(kWords)};
      if (!co_await (*stream)->write(parts)) co_return;
      std::array<std::byte, 64> buffer{};
      std::size_t read = 0;
      while (read < kWords.size()) {
        auto count = co_await (*stream)->read_some(MutableBytes(buffer).subspan(read));
        if (!count || *count == 0) co_return;
        read += *count;
      }
      echoed = as_text(Bytes(buffer).first(read)) == kWords;
      (*stream)->shutdown_write();
    };
    asio::co_spawn(context_, conversation(*channel_), [](const std::exception_ptr&) {});
    if (!run_until([&] { return over; })) return Outcome::kStuck;
    return echoed ? Outcome::kEchoed : Outcome::kFailed;
  }

  asio::io_context context_{1};
  std::unique_ptr<GuestThread> guest_;
  std::unique_ptr<MuxChannel> channel_;
};

TEST_F(AllocationFailureInAChannel, EndsAStreamOrAllOfThemAndTheNextIsServed) {
  std::size_t n = 0;
  for (bool failed = true; failed; ++n) {
    ASSERT_TRUE(run_until([&] { return channel_->up(); })) << "before allocation " << n;
    ASSERT_NE(talk([&] { test::fail_after(n); }), Outcome::kStuck) << "allocation " << n;
    // What is left of the stream is dealt with under the same condition.
    run_until([] { return false; }, 10ms);
    failed = test::stop_failing();
    ASSERT_TRUE(run_until([&] { return channel_->up(); })) << "after allocation " << n;
    ASSERT_EQ(talk([] {}), Outcome::kEchoed) << "after allocation " << n;
  }
  EXPECT_GT(n, 3U);
}

// --- the file system ------------------------------------------------------------------

using vfs::fuse_message;
using vfs::name;
using vfs::raw;

// The answers to what a guest asked, in memory of its own.
struct Answers {
  int count = 0;
  int last_error = 0;
  void take(std::span<const Bytes> parts) {
    if (parts.empty()) return;
    fuse_out_header header{};
    std::memcpy(&header, parts[0].data(), sizeof header);
    last_error = -header.error;
    ++count;
  }
};

// What an editor does, and more.
std::vector<ByteBuffer> editing() {
  std::uint64_t unique = 1;
  std::vector<ByteBuffer> messages;
  auto add = [&](std::uint32_t opcode, std::uint64_t node, std::string_view body) {
    messages.push_back(fuse_message(opcode, ++unique, node, body));
  };
  constexpr std::uint64_t kRoot = 1;
  constexpr std::uint64_t kMade = 4;    // ids as ConfigDirectory gives them; wrong ones do no
  constexpr std::uint64_t kHandle = 1;  // harm but are answered with an error
  fuse_create_in create{};
  create.flags = O_CREAT | O_RDWR;
  create.mode = 0100644;
  fuse_write_in write{};
  write.fh = kHandle;
  write.size = 20000;
  write.flags = O_RDWR;
  fuse_read_in read{};
  read.fh = kHandle;
  read.size = 65536;
  fuse_release_in release{};
  release.fh = kHandle;
  fuse_rename2_in rename{};
  rename.newdir = kRoot;
  fuse_setattr_in truncate{};
  truncate.valid = FATTR_SIZE;
  truncate.size = 40000;
  add(FUSE_LOOKUP, kRoot, name("listeners"));
  add(FUSE_CREATE, kRoot, raw(create) + name("a-name-that-is-no-short-string"));
  for (std::uint64_t node = 2; node <= kMade; ++node) {
    add(FUSE_WRITE, node, raw(write) + std::string(20000, 'x'));
    add(FUSE_READ, node, raw(read));
    add(FUSE_SETATTR, node, raw(truncate));
    add(FUSE_GETATTR, node, raw(fuse_getattr_in{}));
  }
  add(FUSE_OPENDIR, kRoot, raw(fuse_open_in{}));
  add(FUSE_READDIR, kRoot, raw(read));
  add(FUSE_RENAME2, kRoot,
      raw(rename) + name("a-name-that-is-no-short-string") + name("listeners"));
  add(FUSE_STATFS, kRoot, "");
  for (std::uint64_t node = 2; node <= kMade; ++node)
    add(FUSE_RELEASE, node, raw(release));
  add(FUSE_UNLINK, kRoot, name("listeners"));
  return messages;
}

TEST(AllocationFailureInAFileSystem, IsAnswered) {
  const std::vector<ByteBuffer> messages = editing();
  const DebugLog log;
  std::size_t n = 0;
  for (bool failed = true; failed; ++n) {
    vfs::ConfigDirectory provider("/ :8000\n");
    Answers answers;
    vfs::FuseSession session(
        provider, [&](std::span<const Bytes> parts) { answers.take(parts); }, log);
    auto mount = [&] {
      ByteBuffer init = fuse_message(FUSE_INIT, 1, 0, raw(vfs::init_body()));
      return session.handle(init) == vfs::Handled::kMounted;
    };
    ASSERT_TRUE(mount());
    bool any = false;
    for (ByteBuffer message : messages) {
      const int before = answers.count;
      test::fail_after(n);
      EXPECT_TRUE(session.handle(message));
      any |= test::stop_failing();
      EXPECT_EQ(answers.count, before + 1) << "allocation " << n;
    }
    EXPECT_EQ(session.unanswered(), 0U) << "allocation " << n;
    ByteBuffer root = fuse_message(FUSE_GETATTR, 99, 1, raw(fuse_getattr_in{}));
    EXPECT_TRUE(session.handle(root));
    EXPECT_EQ(answers.last_error, 0) << "after allocation " << n;
    failed = any;
  }
  EXPECT_GT(n, 5U);
}

// Of INIT as well: it is answered with an error, or the channel starts over for the exception.
TEST(AllocationFailureInAFileSystem, OfAMountLeavesNothingBehind) {
  vfs::ConfigDirectory provider("/ :8000\n");
  const DebugLog log;
  Answers answers;
  vfs::FuseSession session(
      provider, [&](std::span<const Bytes> parts) { answers.take(parts); }, log);
  std::size_t n = 0;
  for (bool failed = true; failed; ++n) {
    ByteBuffer init = fuse_message(FUSE_INIT, 1, 0, raw(vfs::init_body()));
    ByteBuffer again = init;
    test::fail_after(n);
    try {
      EXPECT_TRUE(session.handle(init));
    } catch (const std::bad_alloc&) {
      session.reset();
    }
    failed = test::stop_failing();
    const auto handled = session.handle(again);
    EXPECT_TRUE(handled && *handled == vfs::Handled::kMounted) << "after allocation " << n;
  }
  EXPECT_GT(n, 0U);
}

}  // namespace
}  // namespace gondolin::vm
