// sandboxmounts killed at every single message while a program works on directories of this
// machine, one of them mounted inside the other: its operations succeed or fail with ENOTCONN, what
// was done is in the directories, and everything is mounted again for the next program.
#include <fcntl.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "api/threaded_provider.hpp"
#include "guest/fake_kernel.hpp"
#include "guest/start_daemon.hpp"
#include "unit/vm/dying_daemon.hpp"
#include "unit/vm/guest_conversation.hpp"
#include "vm/mounts_channel.hpp"

namespace gondolin::vm {
namespace {

using guest::FakeKernel;
using guest::GuestProgram;
using ::testing::AnyOf;
using ::testing::Contains;
using ::testing::Eq;
using ::testing::StartsWith;
using vfs::FuseCalls;
using Kind = ChannelEvent::Kind;
namespace fs = std::filesystem;

constexpr const char* kOuter = "/outer";
constexpr const char* kInner = "/outer/inner";

std::string content_of(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

// One that takes several frames, other than all before.
std::string content(unsigned turn) {
  return std::to_string(turn) + std::string(40'000, '.');
}

// What a file may have in it: what it was last known to have, and what it is about to be given.
struct File {
  std::string done{};
  std::string next{};
};

class MountsDeath : public DeathTest {
 protected:
  MountsDeath() {
    for (const auto& [path, name] : {std::pair(kOuter, "outer"), std::pair(kInner, "inner")}) {
      const fs::path directory = host_.path() / name;
      fs::create_directory(directory);
      // Few: what the dead had open, and knew, is soon too much when it is not given back.
      const VfsMount mount{.path = path,
                           .provider = std::make_shared<HostDirectory>(directory),
                           .max_open_files = 4,
                           .max_names = 8};
      mounts_.push_back(
          {.target = {.path = path},
           .provider = std::make_shared<api::ThreadedProvider>(loop_.executor(), mount, log_)});
    }
    fs::create_directory(outer_ / "inner");
  }

  // All that is done with files and directories. A file appears under its name when it is whole.
  void work(GuestProgram& program, const fs::path& directory) {
    File& f = files_[directory];
    const std::string next = content(++turn_);
    f.next = next;
    const auto file = program.open_path("new", O_WRONLY | O_CREAT | O_TRUNC);
    program.write(file.node, file.handle, 0, next);
    program.fsync(file.node, file.handle);
    program.close(file);
    program.rename("new", "f");
    if (program.error() == 0) f.done = next;
    const std::string read = program.cat("f");
    if (program.error() == 0) EXPECT_TRUE(read == next);
    program.forget(file.node);

    work_on_directories(program, directory);
    program.call(FUSE_SYMLINK, FuseCalls::kRoot, vfs::name("l") + vfs::name("f"));
    const std::string target = program.call(FUSE_READLINK, program.node_of("l"), "").body;
    program.unlink("l");
    if (program.error() == 0) EXPECT_EQ(target, "f");
  }
  void work_on_directories(GuestProgram& program, const fs::path& directory) {
    fuse_mkdir_in how{};
    how.mode = S_IFDIR | 0755;
    program.call(FUSE_MKDIR, FuseCalls::kRoot, vfs::raw(how) + vfs::name("d"));
    if (program.error() == 0) EXPECT_TRUE(fs::is_directory(directory / "d"));
    fuse_read_in list{};
    list.fh = program.call(FUSE_OPENDIR, FuseCalls::kRoot, vfs::raw(fuse_open_in{}))
                  .as<fuse_open_out>()
                  .fh;
    list.size = 4096;
    const auto names =
        vfs::parse_listing(program.call(FUSE_READDIR, FuseCalls::kRoot, vfs::raw(list)).body);
    fuse_release_in release{};
    release.fh = list.fh;
    program.call(FUSE_RELEASEDIR, FuseCalls::kRoot, vfs::raw(release));
    program.call(FUSE_RMDIR, FuseCalls::kRoot, vfs::name("d"));
    if (program.error() != 0) return;
    EXPECT_THAT(names.names, Contains("f"));
    EXPECT_FALSE(fs::exists(directory / "d"));
  }

  // 0, or what the program failed with.
  int run_program(FakeKernel& kernel) {
    int error = 0;
    run_in_guest(loop_, [&] {
      GuestProgram outer(kernel, kOuter);
      GuestProgram inner(kernel, kInner);
      work(outer, outer_);
      if (outer.error() == 0) work(inner, inner_);
      error = outer.error() != 0 ? outer.error() : inner.error();
    });
    return error;
  }
  void expect_nothing_lost() {
    for (auto& [directory, f] : files_) {
      const std::string found = content_of(directory / "f");
      EXPECT_TRUE(found == f.done || found == f.next) << directory;
      f.done = found;
    }
  }
  // What the one that died left half done.
  void clean_up() {
    for (const auto& directory : {outer_, inner_})
      for (const char* name : {"d", "l"})
        fs::remove(directory / name);
  }

  const TemporaryDirectory host_;
  const fs::path outer_ = host_.path() / "outer";
  const fs::path inner_ = host_.path() / "inner";
  const DebugLog log_;
  Loop loop_;
  std::vector<GuestMount> mounts_;
  unsigned turn_ = 0;
  std::map<fs::path, File> files_;  // `f` in each directory
};

INSTANTIATE_TEST_SUITE_P(, MountsDeath, every_death(), name_of_death);

TEST_P(MountsDeath, OfSandboxmountsWhileFilesAreReadAndWritten) {
  FakeKernel kernel;
  const auto start = [&](int port) {
    return guest::start_daemon(SANDBOXMOUNTS, port, kernel.socket());
  };
  const auto live = [&](DyingDaemon& daemon) {
    unsigned ups = 0;
    MountsChannel channel(
        loop_.executor(), daemon.take_port(), log_, [&](const ChannelEvent& event) {
          EXPECT_EQ(event.kind, ups++ == 0 ? Kind::kUp : Kind::kRestarted) << event.message;
        });
    loop_.run_until([&] { return ups > 0; });
    loop_.run([&]() -> Awaitable<void> {
      const auto mounted = co_await channel.mount(mounts_);
      if (mounted) co_return;
      EXPECT_TRUE(daemon.died()) << mounted.error().message;
      EXPECT_THAT(mounted.error().code, AnyOf(Eq(ErrorCode::kReset), Eq(ErrorCode::kUnavailable)));
      EXPECT_THAT(mounted.error().message, StartsWith("cannot mount at /outer"));
    });
    const int error = run_program(kernel);
    EXPECT_TRUE(error == 0 || (daemon.died() && error == ENOTCONN)) << error;
    expect_nothing_lost();
    if (daemon.died()) {
      loop_.run_until([&] { return daemon.greeted() && daemon.greetings() == ups; });
      clean_up();
      EXPECT_EQ(run_program(kernel), 0);
      expect_nothing_lost();
    }
    channel.close();
    loop_.settle();
  };
  EXPECT_GE(die_at_every_message(start, live), least(40, 80));
}

}  // namespace
}  // namespace gondolin::vm
