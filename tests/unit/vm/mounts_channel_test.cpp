// The host's side of the mounts port against a guest end that does what each test says.
#include "vm/mounts_channel.hpp"

#include <linux/fuse.h>

#include <cerrno>
#include <cstring>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support.hpp"
#include "unit/vfs/slow_provider.hpp"
#include "vfs/config_directory.hpp"
#include "vm/mount_stream.hpp"
#include "vm/mux_channel.hpp"

namespace gondolin::vm {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using EventKind = wire::MuxEvent::Kind;

template <typename T>
std::string raw(const T& value) {
  return {reinterpret_cast<const char*>(&value), sizeof(T)};
}

std::string message(std::uint32_t opcode, std::uint64_t unique, const std::string& body) {
  fuse_in_header header{};
  header.len = static_cast<std::uint32_t>(sizeof(header) + body.size());
  header.opcode = opcode;
  header.unique = unique;
  header.nodeid = 1;
  return raw(header) + body;
}

std::string init_message() {
  fuse_init_in init{};
  init.major = FUSE_KERNEL_VERSION;
  init.minor = FUSE_KERNEL_MINOR_VERSION;
  return message(FUSE_INIT, 1, raw(init));
}

class MountsChannelTest : public testing::Test {
 protected:
  MountsChannelTest() {
    auto pair = make_socket_pair();
    guest_ = std::make_shared<GuestEnd>(
        loop_.executor(), std::move(pair.theirs),
        [this](wire::Mux& mux, const wire::MuxEvent& event) { handle(mux, event); });
    channel_ = std::make_unique<MountsChannel>(loop_.executor(), std::move(pair.ours), DebugLog(),
                                               [this](const ChannelEvent& event) {
                                                 if (event.kind == ChannelEvent::Kind::kUp)
                                                   up_ = true;
                                               });
    guest_->start();
    loop_.run_until([this] { return up_; });
  }
  ~MountsChannelTest() override {
    channel_->close();
    guest_->close();
    loop_.settle();
  }

  void handle(wire::Mux& mux, const wire::MuxEvent& event) {
    switch (event.kind) {
      case EventKind::kOpen: {
        auto target = wire::decode_mount_target(event.target);
        ASSERT_TRUE(target.has_value());
        opened_.push_back(target->path);
        stream_ = event.stream;
        if (os_error_ != 0) return mux.refuse(event.stream, os_error_);
        return mux.accept(event.stream);
      }
      case EventKind::kReadable:
        while (!mux.read(event.stream).empty()) {
          received_ += as_text(mux.read(event.stream));
          mux.consume(event.stream, mux.read(event.stream).size());
        }
        return;
      case EventKind::kReset:
        ++resets_;
        return mux.close(event.stream);
      default:
        return;
    }
  }
  void send(const std::string& bytes) {
    ASSERT_EQ(guest_->mux().write(stream_, as_bytes(bytes)), bytes.size());
    guest_->schedule_flush();
  }
  // The answers that came so far, by the request's number: 0 or an errno.
  std::map<std::uint64_t, int> answers() {
    std::map<std::uint64_t, int> found;
    for (std::size_t at = 0; at + sizeof(fuse_out_header) <= received_.size();) {
      fuse_out_header header{};
      std::memcpy(&header, received_.data() + at, sizeof(header));
      found[header.unique] = -header.error;
      at += header.len;
    }
    return found;
  }
  static std::vector<GuestMount> mounts(const std::vector<std::string>& paths) {
    std::vector<GuestMount> list;
    for (const std::string& path : paths)
      list.push_back({.target = {.path = path},
                      .provider = std::make_shared<vfs::ConfigDirectory>("content\n")});
    return list;
  }
  void mount(const std::vector<std::string>& paths) {
    loop_.run([&]() -> Awaitable<void> {
      auto mounted = co_await channel_->mount(mounts(paths));
      EXPECT_TRUE(mounted.has_value());
    });
  }

  Loop loop_;
  std::vector<std::string> opened_;
  std::string received_;
  std::uint32_t os_error_ = 0;
  wire::StreamId stream_{};
  int resets_ = 0;
  bool up_ = false;
  std::shared_ptr<GuestEnd> guest_;
  std::unique_ptr<MountsChannel> channel_;
};

TEST_F(MountsChannelTest, MountsInOrderAndAnswersMessages) {
  mount({"/a", "/a/b"});
  EXPECT_THAT(opened_, ElementsAre("/a", "/a/b"));
  std::string name("listeners", sizeof("listeners"));
  send(init_message() + message(FUSE_LOOKUP, 2, name) +
       message(FUSE_LOOKUP, 3, std::string("x", 2)));
  loop_.run_until([&] { return answers().size() == 3; });
  EXPECT_EQ(answers()[1], 0);
  EXPECT_EQ(answers()[2], 0);
  EXPECT_EQ(answers()[3], ENOENT);
}

TEST_F(MountsChannelTest, WhatTheGuestCannotMountIsAnError) {
  os_error_ = EACCES;
  loop_.run([&]() -> Awaitable<void> {
    auto mounted = co_await channel_->mount(mounts({"/a"}));
    EXPECT_FALSE(mounted.has_value());
    if (!mounted) EXPECT_THAT(mounted.error().message, HasSubstr("cannot mount at /a: "));
  });
}

TEST_F(MountsChannelTest, ADaemonThatRestartsGetsEverythingAgain) {
  mount({"/a", "/b"});
  guest_->restart();
  guest_->schedule_flush();
  loop_.run_until([&] { return opened_.size() == 4; });
  EXPECT_THAT(opened_, ElementsAre("/a", "/b", "/a", "/b"));
  send(init_message());
  loop_.run_until([&] { return answers().size() == 1; });
}

TEST_F(MountsChannelTest, NonsenseEndsThatMountAndNoOther) {
  mount({"/a"});
  const wire::StreamId first = stream_;
  send(std::string(64, '\xff'));
  loop_.run_until([&] { return resets_ == 1; });
  EXPECT_EQ(stream_, first);
  EXPECT_TRUE(guest_->mux().up());
}

TEST_F(MountsChannelTest, AProviderIsGivenSoManyRequestsAtATimeAndNoMore) {
  auto slow = std::make_shared<vfs::SlowProvider>();
  loop_.run([&]() -> Awaitable<void> {
    auto mounted = co_await channel_->mount({{.target = {.path = "/a"}, .provider = slow}});
    EXPECT_TRUE(mounted.has_value());
  });
  std::string requests = init_message();
  for (std::uint64_t unique = 2; unique < 42; ++unique)
    requests += message(FUSE_GETATTR, unique, raw(fuse_getattr_in{}));
  send(requests);
  loop_.run_until([&] { return slow->waiting.size() == MountStream::kInWork; });
  loop_.settle();
  EXPECT_EQ(slow->waiting.size(), MountStream::kInWork);
  std::size_t answered = 0;
  loop_.run_until([&] {
    auto waiting = std::exchange(slow->waiting, {});
    EXPECT_LE(waiting.size(), MountStream::kInWork);
    for (auto& reply : waiting)
      reply(vfs::failed(ENOENT));
    answered += waiting.size();
    return answered == 40;
  });
  loop_.run_until([&] { return answers().size() == 41; });
}

}  // namespace
}  // namespace gondolin::vm
