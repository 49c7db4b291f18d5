// The host's calls about files against a sandboxd that does what each test says.
#include "vm/guest_files.hpp"

#include <cerrno>
#include <deque>
#include <map>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support.hpp"
#include "wire/control.hpp"

namespace gondolin::vm {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::HasSubstr;
using EventKind = wire::MuxEvent::Kind;

class GuestFilesTest : public testing::Test {
 protected:
  GuestFilesTest() {
    auto pair = make_socket_pair();
    sandboxd_ = std::make_shared<GuestEnd>(
        loop_.executor(), std::move(pair.theirs),
        [this](wire::Mux& mux, const wire::MuxEvent& event) { handle(mux, event); });
    channel_ = std::make_unique<MuxChannel>(loop_.executor(), std::move(pair.ours), "sandboxd",
                                            [](const ChannelEvent&) {});
    sandboxd_->start();
    loop_.run_until([this] { return channel_->up() && sandboxd_->mux().up(); });
  }
  ~GuestFilesTest() override {
    channel_->close();
    sandboxd_->close();
    loop_.settle();
  }

  void handle(wire::Mux& mux, const wire::MuxEvent& event) {
    if (event.kind == EventKind::kOpen) {
      auto target = wire::decode_target(event.target);
      ASSERT_TRUE(target && std::holds_alternative<wire::FilesTarget>(*target));
      stream_ = event.stream;
      return mux.accept(event.stream);
    }
    if (event.kind == EventKind::kReset) {
      ended_ = true;
      return mux.close(event.stream);
    }
    while (event.kind == EventKind::kReadable && !mux.read(stream_).empty()) {
      auto used = reader_.feed(mux.read(stream_));
      ASSERT_TRUE(used);
      mux.consume(stream_, *used);
      auto message = reader_.next();
      ASSERT_TRUE(message);
      if (!*message) continue;
      asked_.push_back(**message);
      if (asked_.size() == answer_after_) answer(mux);
    }
  }

  void answer(wire::Mux& mux) {
    ByteBuffer bytes;
    for (const auto& message : answers_) {
      auto encoded = wire::encode_file_message(message);
      bytes.insert(bytes.end(), encoded.begin(), encoded.end());
    }
    bytes.insert(bytes.end(), raw_.begin(), raw_.end());
    ASSERT_EQ(mux.write(stream_, bytes), bytes.size());
    if (finishes_) mux.finish(stream_);
  }

  [[nodiscard]] GuestFiles files(std::chrono::milliseconds patience = 30s) {
    return GuestFiles(*channel_, patience);
  }

  Loop loop_;
  std::vector<wire::FileMessage> asked_;
  std::size_t answer_after_ = 1;  // messages from the host
  std::vector<wire::FileMessage> answers_;
  ByteBuffer raw_;  // behind the answers
  bool finishes_ = true;
  bool ended_ = false;
  wire::StreamId stream_{};
  wire::FileMessageReader reader_;
  std::shared_ptr<GuestEnd> sandboxd_;
  std::unique_ptr<MuxChannel> channel_;
};

TEST_F(GuestFilesTest, ReadsPiecesUntilDone) {
  answers_ = {wire::FileStatus{.size = 5}, wire::FileData{ByteBuffer(3, std::byte{'a'})},
              wire::FileData{ByteBuffer(2, std::byte{'b'})}, wire::FileDone{}};
  loop_.run([&]() -> Awaitable<void> {
    auto file = co_await files().read({.path = "/f", .offset = 0, .length = 9});
    EXPECT_TRUE(file.has_value());
    if (!file) co_return;
    EXPECT_EQ((*file)->status().size, 5U);
    std::array<std::byte, 2> buffer{};
    std::string content;
    while (true) {
      auto count = co_await (*file)->read_some(buffer);
      EXPECT_TRUE(count.has_value());
      if (!count || *count == 0) break;
      content += as_text(Bytes(buffer).first(*count));
    }
    EXPECT_EQ(content, "aaabb");
    EXPECT_EQ((co_await (*file)->read_some(buffer)).value(), 0U);
  });
  EXPECT_THAT(asked_, ElementsAre(wire::FileMessage(wire::ReadFile{.path = "/f", .length = 9})));
}

TEST_F(GuestFilesTest, WritesPiecesAndWaitsForTheEnd) {
  answer_after_ = 4;
  answers_ = {wire::FileDone{}};
  loop_.run([&]() -> Awaitable<void> {
    auto file = co_await files().write({.path = "/f"});
    EXPECT_TRUE(file.has_value());
    if (!file) co_return;
    const std::string content(wire::kMaxFileData + 1, 'x');
    EXPECT_TRUE((co_await (*file)->write(as_bytes(content))).has_value());
    EXPECT_TRUE((co_await (*file)->finish()).has_value());
  });
  ASSERT_EQ(asked_.size(), 4U);
  EXPECT_EQ(std::get<wire::FileData>(asked_[1]).bytes.size(), wire::kMaxFileData);
  EXPECT_EQ(std::get<wire::FileData>(asked_[2]).bytes.size(), 1U);
  EXPECT_TRUE(std::holds_alternative<wire::FileDone>(asked_[3]));
}

TEST_F(GuestFilesTest, FailuresHaveTheGuestsErrno) {
  struct Case {
    int os_error;
    ErrorCode code;
  };
  for (auto [os_error, code] :
       {Case{ENOENT, ErrorCode::kNotFound}, Case{ENOTDIR, ErrorCode::kNotFound},
        Case{EACCES, ErrorCode::kRefused}, Case{ELOOP, ErrorCode::kInvalidArgument},
        Case{ENOSPC, ErrorCode::kLimit}, Case{EEXIST, ErrorCode::kIo},
        Case{4095, ErrorCode::kIo}}) {
    asked_.clear();
    answers_ = {wire::FileFailed{static_cast<std::uint32_t>(os_error)}};
    loop_.run([&]() -> Awaitable<void> {
      auto done = co_await files().change(wire::MakeDirectory{.path = "/d"});
      EXPECT_FALSE(done.has_value());
      if (done) co_return;
      EXPECT_EQ(done.error().os_error, os_error);
      EXPECT_EQ(done.error().code, code);
    });
  }
}

TEST_F(GuestFilesTest, ListsAreSorted) {
  answers_ = {wire::DirectoryEntries{{{"b", wire::FileKind::kFile}}},
              wire::DirectoryEntries{{{"a", wire::FileKind::kDirectory}}}, wire::FileDone{}};
  loop_.run([&]() -> Awaitable<void> {
    auto list = co_await files().list({"/"});
    EXPECT_TRUE(list.has_value());
    if (!list) co_return;
    EXPECT_THAT(*list, ElementsAre(wire::DirectoryEntry{"a", wire::FileKind::kDirectory},
                                   wire::DirectoryEntry{"b", wire::FileKind::kFile}));
  });
}

TEST_F(GuestFilesTest, AnAnswerToAnotherQuestionIsAnError) {
  for (wire::FileMessage wrong :
       {wire::FileMessage(wire::FileData{ByteBuffer(1)}),
        wire::FileMessage(wire::ListDirectory{"/"}),
        wire::FileMessage(wire::DirectoryEntries{{{"a", wire::FileKind::kFile}}})}) {
    asked_.clear();
    answers_ = {wrong};
    loop_.run([&]() -> Awaitable<void> {
      auto status = co_await files().stat({.path = "/f"});
      EXPECT_FALSE(status.has_value());
      if (!status) EXPECT_EQ(status.error().code, ErrorCode::kProtocol);
    });
  }
}

TEST_F(GuestFilesTest, NonsenseIsAProtocolError) {
  raw_ = ByteBuffer(64, std::byte{0xff});
  loop_.run([&]() -> Awaitable<void> {
    auto done = co_await files().change(wire::RemoveFile{.path = "/f"});
    EXPECT_FALSE(done.has_value());
    if (!done) EXPECT_EQ(done.error().code, ErrorCode::kProtocol);
  });
}

TEST_F(GuestFilesTest, AnAnswerThatBreaksOffIsNoEnd) {
  answers_ = {wire::FileStatus{.size = 5}, wire::FileData{ByteBuffer(3)}};
  loop_.run([&]() -> Awaitable<void> {
    auto file = co_await files().read({.path = "/f", .offset = 0, .length = 9});
    EXPECT_TRUE(file.has_value());
    if (!file) co_return;
    std::array<std::byte, 8> buffer{};
    EXPECT_EQ((co_await (*file)->read_some(buffer)).value(), 3U);
    auto end = co_await (*file)->read_some(buffer);
    EXPECT_FALSE(end.has_value());
    if (!end) EXPECT_EQ(end.error().code, ErrorCode::kReset);
  });
}

TEST_F(GuestFilesTest, SilenceIsATimeoutAndEndsTheRequest) {
  answer_after_ = 0;
  loop_.run([&]() -> Awaitable<void> {
    auto done = co_await files(50ms).change(wire::RemoveFile{.path = "/f"});
    EXPECT_FALSE(done.has_value());
    if (!done) EXPECT_EQ(done.error().code, ErrorCode::kTimeout);
  });
  loop_.run_until([&] { return ended_; });
}

TEST_F(GuestFilesTest, ARestartOfTheDaemonEndsTheRequest) {
  answer_after_ = 0;
  loop_.run([&]() -> Awaitable<void> {
    auto file = co_await files().write({.path = "/f"});
    EXPECT_TRUE(file.has_value());
    if (!file) co_return;
    sandboxd_->restart();
    sandboxd_->schedule_flush();
    auto done = co_await (*file)->finish();
    EXPECT_FALSE(done.has_value());
    if (!done) EXPECT_EQ(done.error().code, ErrorCode::kReset);
  });
}

}  // namespace
}  // namespace gondolin::vm
