// sandboxd's files streams, driven over a socket by the messages the host sends, on a
// directory of this machine.
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <string>
#include <variant>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "guest/host_end.hpp"
#include "wire/control.hpp"
#include "wire/files.hpp"

namespace gondolin::guest {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;
using testing::UnorderedElementsAre;

std::string content_of(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  return std::string((std::istreambuf_iterator<char>(file)), {});
}

void put(const fs::path& path, const std::string& content) {
  std::ofstream(path, std::ios::binary) << content;
}

mode_t permissions_of(const fs::path& path) {
  struct stat found{};
  return ::lstat(path.c_str(), &found) == 0 ? found.st_mode & 07777 : 0;
}

std::string pattern(std::size_t size) {
  std::string bytes(size, '\0');
  for (std::size_t i = 0; i < size; ++i)
    bytes[i] = static_cast<char>(i * 7 + i / 251);
  return bytes;
}

class SandboxdFiles : public testing::Test {
 protected:
  SandboxdFiles() {
    std::string path = (fs::temp_directory_path() / "gondolin-files-XXXXXX").string();
    EXPECT_NE(::mkdtemp(path.data()), nullptr);
    root_ = path;
  }
  ~SandboxdFiles() override { fs::remove_all(root_); }

  [[nodiscard]] std::string at(const std::string& name) const { return (root_ / name).string(); }

  StreamId ask(const wire::FileMessage& request) {
    StreamId stream = host_.open(wire::encode_target(wire::FilesTarget{}));
    send(stream, request);
    return stream;
  }
  void send(StreamId stream, const wire::FileMessage& message) {
    host_.write(stream, as_text(wire::encode_file_message(message)));
  }

  // The messages that came on a stream so far.
  std::vector<wire::FileMessage> messages(StreamId stream) {
    std::vector<wire::FileMessage> list;
    Bytes rest = as_bytes(host_[stream].received);
    wire::FileMessageReader reader;
    while (!rest.empty()) {
      auto taken = reader.feed(rest);
      EXPECT_TRUE(taken.has_value());
      rest = rest.subspan(*taken);
      auto message = reader.next();
      EXPECT_TRUE(message.has_value());
      if (*message) list.push_back(**message);
    }
    return list;
  }

  // Ends the request; the whole answer, which must end.
  std::vector<wire::FileMessage> answer(StreamId stream) {
    host_.finish(stream);
    EXPECT_TRUE(host_.wait_end(stream));
    EXPECT_EQ(host_[stream].reset, std::nullopt);
    return messages(stream);
  }
  // The errno the request is answered with, 0 for success.
  int failure(const wire::FileMessage& request) { return failure(ask(request)); }
  int failure(StreamId stream) {
    auto list = answer(stream);
    if (list.empty()) return -1;
    if (const auto* failed = std::get_if<wire::FileFailed>(&list.back())) {
      return static_cast<int>(failed->os_error);
    }
    return std::holds_alternative<wire::FileDone>(list.back()) ? 0 : -1;
  }
  int write_file(const wire::WriteFile& request, const std::string& content) {
    StreamId stream = ask(request);
    for (std::size_t i = 0; i < content.size(); i += wire::kMaxFileData) {
      Bytes piece = as_bytes(std::string_view(content).substr(i, wire::kMaxFileData));
      send(stream, wire::FileData{ByteBuffer(piece.begin(), piece.end())});
    }
    send(stream, wire::FileDone{});
    return failure(stream);
  }
  std::string read_file(const wire::ReadFile& request) {
    std::string content;
    for (const auto& message : answer(ask(request))) {
      if (const auto* data = std::get_if<wire::FileData>(&message)) content += as_text(data->bytes);
    }
    return content;
  }

  // The processes of the daemon.
  std::vector<pid_t> children() {
    std::ifstream file("/proc/" + std::to_string(host_.daemon()) + "/task/" +
                       std::to_string(host_.daemon()) + "/children");
    std::vector<pid_t> list;
    for (pid_t pid = 0; file >> pid;)
      list.push_back(pid);
    return list;
  }

  fs::path root_;
  HostEnd host_{SANDBOXD};
};

constexpr std::uint64_t kAll = 1ULL << 62;

TEST_F(SandboxdFiles, GivesStatusAndEveryByteOfAFile) {
  const std::string content = pattern(3 * 1024 * 1024 + 1);
  put(at("big"), content);
  auto list = answer(ask(wire::ReadFile{.path = at("big"), .length = kAll}));
  ASSERT_FALSE(list.empty());
  EXPECT_EQ(std::get<wire::FileStatus>(list.front()).size, content.size());
  EXPECT_TRUE(std::holds_alternative<wire::FileDone>(list.back()));
  EXPECT_TRUE(read_file({.path = at("big"), .length = kAll}) == content);
}

TEST_F(SandboxdFiles, ReadsAPieceAndNothingBehindTheEnd) {
  put(at("f"), "0123456789");
  EXPECT_EQ(read_file({.path = at("f"), .offset = 3, .length = 4}), "3456");
  EXPECT_EQ(read_file({.path = at("f"), .offset = 8, .length = kAll}), "89");
  EXPECT_EQ(read_file({.path = at("f"), .offset = 11, .length = kAll}), "");
  EXPECT_EQ(read_file({.path = at("f"), .offset = 0, .length = 0}), "");
}

TEST_F(SandboxdFiles, ReadsFilesWhoseSizeIsNotKnown) {
  EXPECT_EQ(read_file({.path = "/proc/self/comm", .length = kAll}), "sandboxd\n");
}

TEST_F(SandboxdFiles, ReadsOnlyWhatIsAFile) {
  ::mkfifo(at("pipe").c_str(), 0600);
  fs::create_symlink("nowhere", at("dangling"));
  EXPECT_EQ(failure(wire::ReadFile{.path = at("none"), .length = kAll}), ENOENT);
  EXPECT_EQ(failure(wire::ReadFile{.path = root_.string(), .length = kAll}), EISDIR);
  EXPECT_EQ(failure(wire::ReadFile{.path = at("pipe"), .length = kAll}), EINVAL);
  EXPECT_EQ(failure(wire::ReadFile{.path = "/dev/zero", .length = kAll}), EINVAL);
  EXPECT_EQ(failure(wire::ReadFile{.path = at("dangling"), .length = kAll}), ENOENT);
}

TEST_F(SandboxdFiles, WritesByEachMode) {
  using wire::WriteMode;
  const std::string content = pattern(200'000);
  EXPECT_EQ(write_file({.path = at("f"), .mode = WriteMode::kCreate}, content), 0);
  EXPECT_TRUE(content_of(at("f")) == content);
  EXPECT_EQ(permissions_of(at("f")), 0644U);
  EXPECT_EQ(write_file({.path = at("f"), .mode = WriteMode::kCreate}, "x"), EEXIST);
  EXPECT_EQ(write_file({.path = at("f"), .mode = WriteMode::kReplace}, "short"), 0);
  EXPECT_EQ(write_file({.path = at("f"), .mode = WriteMode::kAppend}, "er"), 0);
  EXPECT_EQ(content_of(at("f")), "shorter");
  EXPECT_EQ(write_file({.path = at("e"), .permissions = 0751}, ""), 0);
  EXPECT_EQ(permissions_of(at("e")), 0751U);
  EXPECT_EQ(write_file({.path = at("no/f")}, "x"), ENOENT);
  EXPECT_EQ(write_file({.path = root_.string()}, "x"), EISDIR);
  ::mkfifo(at("pipe").c_str(), 0600);
  EXPECT_EQ(write_file({.path = at("pipe")}, "x"), EINVAL);
}

TEST_F(SandboxdFiles, AnAtomicWriteKeepsModeAndLinkAndLeavesNothingElse) {
  put(at("f"), "old");
  fs::permissions(at("f"), fs::perms{0600});
  fs::create_symlink("f", at("link"));
  EXPECT_EQ(write_file({.path = at("link"), .mode = wire::WriteMode::kAtomic}, "new"), 0);
  EXPECT_EQ(content_of(at("f")), "new");
  EXPECT_EQ(permissions_of(at("f")), 0600U);
  EXPECT_TRUE(fs::is_symlink(at("link")));
  EXPECT_EQ(std::distance(fs::directory_iterator(root_), {}), 2);
  const std::string long_name(255, 'n');
  EXPECT_EQ(write_file({.path = at(long_name), .mode = wire::WriteMode::kAtomic}, "x"), 0);
  EXPECT_EQ(content_of(at(long_name)), "x");
}

TEST_F(SandboxdFiles, AnAtomicWriteThatIsCutOffChangesNothing) {
  put(at("f"), "old");
  StreamId stream = ask(wire::WriteFile{.path = at("f"), .mode = wire::WriteMode::kAtomic});
  send(stream, wire::FileData{ByteBuffer(1000)});
  ASSERT_TRUE(host_.wait([&] { return std::distance(fs::directory_iterator(root_), {}) == 2; }));
  host_.close(stream);
  EXPECT_TRUE(host_.wait([&] { return std::distance(fs::directory_iterator(root_), {}) == 1; }));
  EXPECT_EQ(content_of(at("f")), "old");
  EXPECT_TRUE(host_.wait([&] { return children().empty(); }));
}

TEST_F(SandboxdFiles, TheDaemonsDeathUndoesNoMoreThanTheWrite) {
  put(at("f"), "old");
  StreamId stream = ask(wire::WriteFile{.path = at("f"), .mode = wire::WriteMode::kAtomic});
  send(stream, wire::FileData{ByteBuffer(1000)});
  ASSERT_TRUE(host_.wait([&] { return std::distance(fs::directory_iterator(root_), {}) == 2; }));
  host_.restart_daemon();
  ASSERT_TRUE(host_.wait([&] { return host_.restarts() == 1; }));
  EXPECT_EQ(content_of(at("f")), "old");
  EXPECT_EQ(read_file({.path = at("f"), .length = kAll}), "old");
}

TEST_F(SandboxdFiles, ListsEveryKindAndAnyName) {
  put(at("file"), "");
  put(at("odd \n\xff name"), "");
  fs::create_directory(at("dir"));
  fs::create_symlink("dir", at("link"));
  ::mkfifo(at("pipe").c_str(), 0600);
  auto list = answer(ask(wire::ListDirectory{root_.string()}));
  ASSERT_EQ(list.size(), 2U);
  using wire::DirectoryEntry;
  using wire::FileKind;
  EXPECT_THAT(std::get<wire::DirectoryEntries>(list[0]).entries,
              UnorderedElementsAre(DirectoryEntry{"file", FileKind::kFile},
                                   DirectoryEntry{"odd \n\xff name", FileKind::kFile},
                                   DirectoryEntry{"dir", FileKind::kDirectory},
                                   DirectoryEntry{"link", FileKind::kSymlink},
                                   DirectoryEntry{"pipe", FileKind::kOther}));
  EXPECT_THAT(answer(ask(wire::ListDirectory{at("dir")})), ElementsAre(wire::FileDone{}));
  EXPECT_EQ(failure(wire::ListDirectory{at("file")}), ENOTDIR);
}

TEST_F(SandboxdFiles, ListsDirectoriesOfAnySizeInPieces) {
  for (int i = 0; i < 3000; ++i)
    put(at(std::string(200, 'x') + std::to_string(i)), "");
  std::size_t entries = 0;
  auto list = answer(ask(wire::ListDirectory{root_.string()}));
  for (const auto& message : list) {
    if (const auto* batch = std::get_if<wire::DirectoryEntries>(&message)) {
      entries += batch->entries.size();
    }
  }
  EXPECT_EQ(entries, 3000U);
  EXPECT_GT(list.size(), 10U);
}

TEST_F(SandboxdFiles, TellsALinkFromWhatItLeadsTo) {
  put(at("f"), "12345");
  fs::create_symlink("f", at("link"));
  auto followed = answer(ask(wire::StatFile{.path = at("link")}));
  auto itself = answer(ask(wire::StatFile{.path = at("link"), .link = wire::LastLink::kItself}));
  EXPECT_EQ(std::get<wire::FileStatus>(followed.at(0)).size, 5U);
  EXPECT_EQ(std::get<wire::FileStatus>(followed.at(0)).kind, wire::FileKind::kFile);
  EXPECT_EQ(std::get<wire::FileStatus>(itself.at(0)).kind, wire::FileKind::kSymlink);
  EXPECT_EQ(std::get<wire::FileStatus>(itself.at(0)).link_target, "f");
  EXPECT_EQ(failure(wire::StatFile{.path = at("f/x")}), ENOTDIR);
}

TEST_F(SandboxdFiles, MakesDirectoriesWithTheirParentsIfAsked) {
  using wire::Parents;
  EXPECT_EQ(failure(wire::MakeDirectory{.path = at("a/b")}), ENOENT);
  EXPECT_EQ(failure(wire::MakeDirectory{
                .path = at("a/b/c/"), .permissions = 0700, .parents = Parents::kMake}),
            0);
  EXPECT_EQ(permissions_of(at("a/b/c")), 0700U);
  EXPECT_EQ(permissions_of(at("a/b")), 0755U);
  EXPECT_EQ(failure(wire::MakeDirectory{.path = at("a/b"), .parents = Parents::kMake}), 0);
  EXPECT_EQ(failure(wire::MakeDirectory{.path = at("a")}), EEXIST);
  put(at("f"), "");
  EXPECT_EQ(failure(wire::MakeDirectory{.path = at("f"), .parents = Parents::kMake}), EEXIST);
  EXPECT_EQ(failure(wire::MakeDirectory{.path = at("f/g"), .parents = Parents::kMake}), ENOTDIR);
}

TEST_F(SandboxdFiles, RenamesOverWhatIsThereUnlessToldNotTo) {
  put(at("a"), "a");
  put(at("b"), "b");
  using wire::Existing;
  EXPECT_EQ(failure(wire::RenameFile{.from = at("a"), .to = at("b"), .existing = Existing::kKeep}),
            EEXIST);
  EXPECT_EQ(failure(wire::RenameFile{.from = at("a"), .to = at("b")}), 0);
  EXPECT_EQ(content_of(at("b")), "a");
  EXPECT_EQ(failure(wire::RenameFile{.from = at("a"), .to = at("c")}), ENOENT);
}

TEST_F(SandboxdFiles, RemovesAFileOrAnEmptyDirectory) {
  put(at("f"), "");
  fs::create_directories(at("d/e"));
  EXPECT_EQ(failure(wire::RemoveFile{at("f")}), 0);
  EXPECT_EQ(failure(wire::RemoveFile{at("f")}), ENOENT);
  EXPECT_EQ(failure(wire::RemoveFile{at("d")}), ENOTEMPTY);
  EXPECT_EQ(failure(wire::RemoveFile{at("d/e/")}), 0);
  EXPECT_FALSE(fs::exists(at("d/e")));
}

TEST_F(SandboxdFiles, RemovesATreeAndFollowsNoLinkOutOfIt) {
  fs::create_directories(at("outside"));
  put(at("outside/kept"), "");
  fs::path deep = root_ / "tree";
  for (int i = 0; i < 300; ++i)
    deep /= "d";
  fs::create_directories(deep);
  put(deep / "f", "");
  for (int i = 0; i < 500; ++i)
    put(root_ / "tree" / std::to_string(i), "");
  fs::create_directory_symlink("../outside", at("tree/link"));
  fs::create_directory_symlink("outside", at("link"));
  using wire::Depth;
  EXPECT_EQ(failure(wire::RemoveFile{.path = at("link/"), .depth = Depth::kTree}), 0);
  EXPECT_EQ(failure(wire::RemoveFile{.path = at("tree"), .depth = Depth::kTree}), 0);
  EXPECT_FALSE(fs::exists(at("tree")));
  EXPECT_FALSE(fs::exists(fs::symlink_status(at("link"))));
  EXPECT_TRUE(fs::exists(at("outside/kept")));
}

TEST_F(SandboxdFiles, NeverRemovesTheRootOrByDots) {
  fs::create_directories(at("d/e"));
  put(at("d/e/f"), "");
  using wire::Depth;
  for (std::string path : {"/", "///", "/proc/1/root"}) {
    EXPECT_NE(failure(wire::RemoveFile{.path = path}), 0) << path;
  }
  for (std::string path : {at("d/e/."), at("d/e/.."), at("d/e/./")}) {
    EXPECT_EQ(failure(wire::RemoveFile{.path = path, .depth = Depth::kTree}), EINVAL) << path;
  }
  EXPECT_TRUE(fs::exists(at("d/e/f")));
}

TEST_F(SandboxdFiles, AReaderThatStopsHoldsUpNobodyAndItsProcessEnds) {
  put(at("big"), pattern(8 * 1024 * 1024));
  StreamId slow = host_.open(wire::encode_target(wire::FilesTarget{}));
  host_[slow].paused = true;
  send(slow, wire::ReadFile{.path = at("big"), .length = kAll});
  EXPECT_EQ(read_file({.path = at("big"), .offset = 5, .length = 3}), pattern(8).substr(5));
  // The one that read the few bytes ends when it has told them.
  EXPECT_TRUE(host_.wait([&] { return children().size() == 1; }));
  host_.close(slow);
  EXPECT_TRUE(host_.wait([&] { return children().empty(); }));
}

TEST_F(SandboxdFiles, AProcessThatDoesNotNoticeIsKilled) {
  StreamId stream = ask(wire::WriteFile{.path = at("f")});
  ASSERT_TRUE(host_.wait([&] { return fs::exists(at("f")); }));
  auto pids = children();
  ASSERT_EQ(pids.size(), 1U);
  ::kill(pids[0], SIGSTOP);
  host_.close(stream);
  EXPECT_TRUE(host_.wait([&] { return children().empty(); }));
}

TEST_F(SandboxdFiles, AProcessThatDiesEndsItsStreamAndNoMore) {
  StreamId stream = ask(wire::WriteFile{.path = at("f")});
  ASSERT_TRUE(host_.wait([&] { return fs::exists(at("f")); }));
  for (pid_t pid : children())
    ::kill(pid, SIGKILL);
  EXPECT_THAT(answer(stream), ElementsAre());
  EXPECT_EQ(failure(wire::RemoveFile{at("f")}), 0);
}

TEST_F(SandboxdFiles, NonsenseIsNotAnswered) {
  StreamId garbage = host_.open(wire::encode_target(wire::FilesTarget{}), "\xff\xff\xff\xff!");
  EXPECT_THAT(answer(garbage), ElementsAre());
  EXPECT_EQ(failure(wire::FileDone{}), EPROTO);
  StreamId stream = ask(wire::WriteFile{.path = at("f")});
  send(stream, wire::ListDirectory{"/"});
  EXPECT_EQ(failure(stream), EPIPE);
}

TEST_F(SandboxdFiles, ManyAtATimeAreAllServed) {
  put(at("f"), "content");
  std::vector<StreamId> streams;
  for (int i = 0; i < 64; ++i)
    streams.push_back(ask(wire::ReadFile{.path = at("f"), .length = kAll}));
  for (StreamId stream : streams)
    EXPECT_EQ(failure(stream), 0);
  EXPECT_TRUE(host_.wait([&] { return children().empty(); }));
}

}  // namespace
}  // namespace gondolin::guest
