// sandboxfs killed at every single message while a program edits the listeners file: its
// operations succeed or fail with ENOTCONN, no edit that was done is lost, none is in force by
// half, and the next program, over the successor's mount, finds everything as it should be.
#include <fcntl.h>

#include <array>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "dying_daemon.hpp"
#include "guest/fake_kernel.hpp"
#include "guest/start_daemon.hpp"
#include "guest_conversation.hpp"
#include "unit/vfs/fuse_guest.hpp"
#include "vfs/config_directory.hpp"
#include "vm/fs_channel.hpp"

namespace gondolin::vm {
namespace {

using guest::FakeKernel;
using guest::GuestProgram;
using testing::Contains;
using vfs::ConfigDirectory;
using vfs::FuseCalls;
using Kind = ChannelEvent::Kind;

constexpr const char* kPath = "/etc/gondolin";
constexpr const char* kFirst = "the host's\n";

// One that takes several frames; `which` tells it from all others.
std::string table(char which) {
  return std::string(40'000, which) + '\n';
}

// What `listeners` may be: what it was last known to be, and what it is about to be. The program
// says so, the host's loop looks.
class Edits {
 public:
  void begin(const std::string& content) {
    const std::lock_guard lock(mutex_);
    next_ = content;
  }
  void done(const std::string& content) {
    const std::lock_guard lock(mutex_);
    done_ = content;
    next_ = content;
  }
  [[nodiscard]] bool allow(const std::optional<std::string>& content) {
    const std::lock_guard lock(mutex_);
    return content == done_ || content == next_;
  }

 private:
  std::mutex mutex_;
  std::string done_ = kFirst;
  std::string next_ = kFirst;
};

class FsDeath : public DeathTest {
 protected:
  FsDeath() {
    directory_->set_status("up\n");
    directory_->on_listeners_change(
        [this](const vfs::ListenersSnapshot& now) { EXPECT_TRUE(edits_.allow(now.content)); });
  }

  // An edit from its first message to the one after whose answer it is done.
  template <typename Edit>
  void edit(GuestProgram& program, const std::string& content, Edit messages) {
    if (program.error() != 0) return;
    edits_.begin(content);
    messages();
    if (program.error() == 0) edits_.done(content);
  }
  static void write_and_close(FuseCalls& program, FuseCalls::OpenFile file,
                              const std::string& content) {
    program.write(file.node, file.handle, 0, content);
    program.close(file);
  }

  // Edits in all the ways that editors have.
  void work(GuestProgram& program) {
    look_around(program);
    edit(program, table('a'), [&] { program.echo(table('a'), "listeners"); });
    edit(program, table('b'), [&] {
      write_and_close(program, program.open_path("new", O_WRONLY | O_CREAT | O_TRUNC), table('b'));
      program.rename("new", "listeners");
    });
    const auto file = program.open_path("listeners", O_WRONLY);
    edit(program, table('c'), [&] {
      program.write(file.node, file.handle, 0, table('c'));
      program.fsync(file.node, file.handle);
    });
    program.close(file);
    edit(program, "ccc", [&] { program.truncate(file.node, 3); });
    program.forget(file.node);

    const auto swap = program.open_path("swap", O_RDWR | O_CREAT | O_TRUNC);
    program.write(swap.node, swap.handle, 0, "kept");
    program.unlink("swap");
    const std::string kept = program.read(swap.node, swap.handle).body;
    program.close(swap);
    if (program.error() == 0) EXPECT_EQ(kept, "kept");
  }
  void look_around(GuestProgram& program) {
    const std::string status = program.cat("status");
    const std::string listeners = program.cat("listeners");
    fuse_read_in all{};
    all.size = 4096;
    const auto names =
        vfs::parse_listing(program.call(FUSE_READDIR, FuseCalls::kRoot, vfs::raw(all)).body);
    if (program.error() != 0) return;
    EXPECT_EQ(status, "up\n");
    EXPECT_EQ(listeners, kFirst);
    EXPECT_THAT(names.names, Contains("listeners"));
  }

  // 0, or what the program failed with.
  int run_program(FakeKernel& kernel) {
    int error = 0;
    run_in_guest(loop_, [&] {
      GuestProgram program(kernel, kPath);
      work(program);
      error = program.error();
    });
    return error;
  }

  // The host is told of each daemon once, and of each mount.
  struct Told {
    unsigned ups = 0;
    unsigned mounts = 0;
    bool last_was_mount = false;
  };
  static void hear(Told& told, const ChannelEvent& event) {
    told.last_was_mount = event.kind == Kind::kMounted;
    if (told.last_was_mount) {
      ++told.mounts;
    } else {
      EXPECT_EQ(event.kind, told.ups++ == 0 ? Kind::kUp : Kind::kRestarted) << event.message;
    }
  }

  // The edit that was in progress was done or undone, and nobody holds the file any more.
  void expect_nothing_left() {
    EXPECT_TRUE(edits_.allow(directory_->read().content));
    const auto replaced = directory_->replace_if(directory_->read().version, kFirst);
    EXPECT_TRUE(replaced.has_value()) << replaced.error().message;
    edits_.done(kFirst);
  }

  Loop loop_;
  std::shared_ptr<ConfigDirectory> directory_ = std::make_shared<ConfigDirectory>(kFirst);
  Edits edits_;
};

INSTANTIATE_TEST_SUITE_P(, FsDeath, every_death(), name_of_death);

TEST_P(FsDeath, OfSandboxfsWhileListenersIsEdited) {
  FakeKernel kernel;
  const auto start = [&](int port) {
    return guest::start_daemon(SANDBOXFS, port, kernel.socket());
  };
  const auto live = [&](DyingDaemon& daemon) {
    Told told;
    FsChannel channel(loop_.executor(), daemon.take_port(), directory_, DebugLog(),
                      [&](const ChannelEvent& event) { hear(told, event); });
    const int error = run_program(kernel);
    if (daemon.died()) {
      EXPECT_TRUE(error == 0 || error == ENOTCONN) << error;
      loop_.run_until([&] {
        return daemon.greeted() && daemon.greetings() == told.ups && told.last_was_mount;
      });
      expect_nothing_left();
      EXPECT_EQ(run_program(kernel), 0);
      EXPECT_LE(told.mounts, told.ups);
    } else {
      EXPECT_EQ(error, 0);
      EXPECT_EQ(told.ups, 1U);
      EXPECT_EQ(told.mounts, 1U);
    }
    expect_nothing_left();
    channel.close();
    loop_.settle();
  };
  EXPECT_GE(die_at_every_message(start, live), least(40, 80));

  // What the dead had open is closed: there is room for as many as ever.
  vfs::FuseGuest guest(*directory_);
  ASSERT_EQ(guest.mount().error, 0);
  const std::uint64_t node = guest.node_of("listeners");
  for (std::size_t i = 0; i < ConfigDirectory::kMaxHandles; ++i)
    EXPECT_EQ(guest.open(node, O_RDONLY).error, 0);
}

}  // namespace
}  // namespace gondolin::vm
