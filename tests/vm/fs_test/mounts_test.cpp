// Providers of the host, seen from a real guest.
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <chrono>
#include <condition_variable>
#include <filesystem>
#include <fstream>
#include <memory>
#include <mutex>
#include <optional>
#include <sstream>
#include <string>
#include <string_view>
#include <utility>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "fs_test/mounted_vm.hpp"
#include "gondolin/error.hpp"

namespace gondolin::test {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

class Mounts : public testing::Test {
 protected:
  void put(const std::string& name, const std::string& content) {
    std::ofstream(vm_.host() / name, std::ios::binary) << content;
  }
  [[nodiscard]] std::string host_content(const std::string& name) const {
    std::ifstream file(vm_.host() / name, std::ios::binary);
    return std::string((std::istreambuf_iterator<char>(file)), {});
  }

  MountedVm& vm_ = mounted_vm();
};

TEST_F(Mounts, EditsGoBothWays) {
  put("f", "from the host\n");
  EXPECT_EQ(vm_.guest_says("cat /work/f"), "from the host");
  static_cast<void>(
      vm_.guest_says("echo 'from the guest' >> /work/f; mkdir -p /work/d/e; "
                     "mv /work/f /work/d/e/g; chmod 640 /work/d/e/g"));
  EXPECT_EQ(host_content("d/e/g"), "from the host\nfrom the guest\n");
  struct stat found{};
  ASSERT_EQ(::stat((vm_.host() / "d/e/g").c_str(), &found), 0);
  EXPECT_EQ(found.st_mode & 07777, 0640U);
  put("d/e/g", "again");
  EXPECT_TRUE(eventually([&] { return vm_.guest("cat /work/d/e/g").output == "again"; }));
  static_cast<void>(vm_.guest_says("rm -r /work/d && ! test -e /work/d"));
  EXPECT_FALSE(fs::exists(vm_.host() / "d"));
}

TEST_F(Mounts, ALargeFileIsTheSameOnBothSides) {
  static_cast<void>(vm_.guest_says("head -c 12000000 /dev/urandom > /work/big && sync"));
  const std::string host = run({"sha256sum", (vm_.host() / "big").string()}).output.substr(0, 64);
  EXPECT_EQ(vm_.guest_says("sha256sum < /work/big").substr(0, 64), host);
  EXPECT_EQ(vm_.guest_says("cp /work/big /work/big2 && sha256sum < /reader/big2").substr(0, 64),
            host);
  static_cast<void>(vm_.guest_says("rm /work/big /work/big2"));
}

TEST_F(Mounts, ProgramsAndLinksAndMappingsWork) {
  static_cast<void>(
      vm_.guest_says("printf '#!/bin/sh\\necho ran $0\\n' > /work/tool && "
                     "chmod +x /work/tool && mkdir -p /work/bin && "
                     "ln -sf ../tool /work/bin/link"));
  EXPECT_EQ(vm_.guest_says("cd /work/bin && ./link"), "ran ./link");
  EXPECT_EQ(fs::read_symlink(vm_.host() / "bin/link"), "../tool");
  // A copied binary is mapped; a working directory in a mount is no trap for sandboxd.
  static_cast<void>(vm_.guest_says("cp /bin/echo /work/echo"));
  const RunResult result = vm_.vm().run({.argv = {"./echo", "mapped"}, .cwd = "/work"});
  EXPECT_EQ(result.output, "mapped\n");
  EXPECT_EQ(vm_.guest_says("python3 -c \"import mmap; f=open('/work/m','w+b'); f.write(b'x'*5000);"
                           "f.flush(); m=mmap.mmap(f.fileno(),5000); m[4999:5000]=b'!'; m.flush();"
                           "f.close()\"; tail -c 1 /work/m"),
            "!");
  EXPECT_EQ(host_content("m").back(), '!');
}

TEST_F(Mounts, ReadOnlyIsReadOnly) {
  put("f", "content");
  EXPECT_EQ(vm_.guest_says("cat /reader/f"), "content");
  for (const char* attempt : {"echo > /reader/f", "rm /reader/f", "touch /reader/x",
                              "mount -o remount,rw /reader && echo > /reader/f"}) {
    EXPECT_NE(vm_.guest(attempt).status, 0) << attempt;
  }
  EXPECT_EQ(host_content("f"), "content");
}

TEST_F(Mounts, NothingOutsideTheDirectoryIsReached) {
  fs::create_symlink("../secret", vm_.host() / "out");
  fs::create_symlink(vm_.host().parent_path(), vm_.host() / "up");
  for (const char* attempt : {"cat /work/out", "cat /work/up/secret", "cat /work/../secret",
                              "ls /work/up/", "echo x > /work/out", "cat '/work/..%2fsecret'"}) {
    CommandResult result = vm_.guest(attempt);
    EXPECT_THAT(result.output + result.errors, testing::Not(HasSubstr("secret\n"))) << attempt;
  }
  std::ifstream secret(vm_.host().parent_path() / "secret");
  EXPECT_EQ(std::string(std::istreambuf_iterator<char>(secret), {}), "secret");
  fs::remove(vm_.host() / "out");
  fs::remove(vm_.host() / "up");
}

TEST_F(Mounts, NamesAreAnyBytes) {
  static_cast<void>(vm_.guest_says(
      "cd /work && mkdir names && cd names && touch -- 'a b' '-rf' '*' \"$(printf 'x\\ny')\" "
      "\"$(printf '\\377\\001')\" \"$(head -c 255 /dev/zero | tr '\\0' n)\" && ! touch "
      "\"$(head -c 256 /dev/zero | tr '\\0' n)\" 2>/dev/null"));
  EXPECT_TRUE(fs::exists(vm_.host() / "names/\xff\x01"));
  EXPECT_TRUE(fs::exists(vm_.host() / "names/x\ny"));
  EXPECT_EQ(vm_.guest_says("ls -1b /work/names | wc -l"), "6");
  static_cast<void>(vm_.guest_says("rm -r /work/names"));
}

TEST_F(Mounts, ManyFilesAreListedAndRemoved) {
  static_cast<void>(vm_.guest_says("mkdir /work/many && cd /work/many && seq 500 | xargs touch"));
  EXPECT_EQ(vm_.guest_says("ls /work/many | wc -l"), "500");
  vm_.vm().fs().remove("/work/many", {.recursive = true});
  EXPECT_FALSE(fs::exists(vm_.host() / "many"));
}

TEST_F(Mounts, AnUnlinkedFileIsReadOn) {
  EXPECT_EQ(vm_.guest_says("exec 3<>/work/gone; echo here >&3; rm /work/gone; "
                           "stat -L -c %s /proc/self/fd/3; head -c 4 /proc/self/fd/3 || true"),
            "5");
}

TEST_F(Mounts, MemoryIsSharedAndMountedInsideAnother) {
  vm_.memory().put("/from/host", "hello");
  EXPECT_TRUE(
      eventually([&] { return vm_.guest("cat /work/nested/deep/from/host").output == "hello"; }));
  static_cast<void>(vm_.guest_says("echo answer > /work/nested/deep/from/guest"));
  EXPECT_EQ(vm_.memory().get("/from/guest"), "answer\n");
  EXPECT_TRUE(fs::is_directory(vm_.host() / "nested/deep"));
  EXPECT_TRUE(fs::is_empty(vm_.host() / "nested/deep"));
}

TEST_F(Mounts, ADaemonThatDiesBringsThemBack) {
  put("f", "still");
  const int before = vm_.restarts_of("sandboxmounts");
  static_cast<void>(vm_.guest("kill -9 $(pidof sandboxmounts)"));
  EXPECT_TRUE(eventually([&] { return vm_.restarts_of("sandboxmounts") > before; }));
  EXPECT_TRUE(eventually([&] { return vm_.guest("cat /work/f").output == "still"; }));
  EXPECT_TRUE(
      eventually([&] { return vm_.guest("cat /reader/f && ls /work/nested/deep").status == 0; }));
}

// The daemon is killed beside a program that works on files, a step later each time, so in the
// middle of another message: what was done before is whole on the host, and the next work succeeds.
TEST_F(Mounts, ADaemonThatIsKilledInTheMiddleOfAnythingLosesNoFileThatWasDone) {
  for (int step = 1; step <= 5; ++step) {
    const int before = vm_.restarts_of("sandboxmounts");
    const CommandResult work = vm_.guest(
        "mkdir /work/k && cd /work/k && n=0; while [ $n -lt 300 ]; do n=$((n + 1)); "
        "[ $n = " +
        std::to_string(step) +
        " ] && { kill -9 $(pidof sandboxmounts) & } ; "
        "echo content-$n > $n && mv $n d$n && ls > /dev/null && "
        "grep -q content-$n d$n && echo $n || exit 0; done 2>/dev/null");
    EXPECT_TRUE(eventually([&] { return vm_.restarts_of("sandboxmounts") > before; })) << step;
    std::istringstream done(work.output);
    for (std::string number; done >> number;)
      EXPECT_EQ(host_content("k/d" + number), "content-" + number + "\n") << step;
    EXPECT_TRUE(eventually([&] { return vm_.guest("echo new > /work/k/after").status == 0; }))
        << step;
    EXPECT_EQ(host_content("k/after"), "new\n");
    fs::remove_all(vm_.host() / "k");
  }
}

TEST_F(Mounts, AServerInTheGuestServesTheHostsDirectory) {
  put("index.html", "<p>from the host</p>\n");
  Process server = vm_.vm().exec(
      {.argv = {"python3", "-m", "http.server", "8200", "--bind", "127.0.0.1"}, .cwd = "/work"});
  static_cast<void>(vm_.vm().wait_for_port(8200, std::chrono::minutes(1)));
  Ingress ingress = vm_.vm().enable_ingress({});
  ingress.set_routes({{"/", 8200}});
  EXPECT_EQ(run({"curl", "-s", "-m", "60", ingress.url()}).output, "<p>from the host</p>\n");
  put("index.html", "<p>changed, and longer</p>\n");
  EXPECT_TRUE(eventually([&] {
    return run({"curl", "-s", "-m", "60", ingress.url()}).output == "<p>changed, and longer</p>\n";
  }));
}

// Answers what is asked about one name only while it is told to.
class GatedProvider final : public MemoryProvider {
 public:
  explicit GatedProvider(std::string path) : path_(std::move(path)) {}

  VfsAttributes attributes(const std::string& path) override {
    if (path == path_) {
      std::unique_lock lock(mutex_);
      waiting_ = !open_;
      changed_.wait(lock, [this] { return open_; });
      waiting_ = false;
    }
    return MemoryProvider::attributes(path);
  }
  void close() {
    const std::lock_guard lock(mutex_);
    open_ = false;
  }
  void open() {
    const std::lock_guard lock(mutex_);
    open_ = true;
    changed_.notify_all();
  }
  [[nodiscard]] bool waiting() {
    const std::lock_guard lock(mutex_);
    return waiting_;
  }
  using MemoryProvider::open;

 private:
  const std::string path_;
  std::mutex mutex_;
  std::condition_variable changed_;
  bool open_ = true;
  bool waiting_ = false;
};

// Whoever mounts inside another mount of ours may wait for an answer from that one.
class MountsInMounts : public testing::Test {
 protected:
  MountsInMounts() {
    outer_->make_directory("/nested", 0755);
    outer_->put("/f", "outer");
    inner_->put("/f", "inner");
    VmOptions options;
    options.image_store = {.store = {}, .guest_dir = GONDOLIN_GUEST_PROGRAMS};
    options.mounts = {{.path = "/outer", .provider = outer_},
                      {.path = "/outer/nested", .provider = inner_}};
    options.on_event = [this](const VmEvent& event) {
      if (event.message.starts_with("sandboxmounts")) ++restarts_;
    };
    options.debug = {.topics = "vfs", .sink = [this](std::string_view, std::string_view line) {
                       if (line.find("cannot mount at /outer/nested") != line.npos)
                         given_up_ = true;
                     }};
    ImageStore(options.image_store).ensure();
    vm_.emplace(Vm::create(std::move(options)));
  }
  ~MountsInMounts() override { outer_->open(); }

  void kill_daemon() {
    const int before = restarts_;
    static_cast<void>(vm_->run({.argv = {"sh", "-c", "kill -9 $(pidof sandboxmounts)"}}));
    EXPECT_TRUE(eventually([&] { return restarts_ > before; }));
  }
  // The daemon is mounting the inner one, and does not get on.
  void stop_in_the_middle() {
    outer_->close();
    kill_daemon();
    EXPECT_TRUE(eventually([&] { return outer_->waiting(); }));
  }
  [[nodiscard]] bool can_be_read(const std::string& path, const std::string& content) {
    return eventually([&] {
      const RunResult read =
          vm_->run({.argv = {"cat", path}}, {.timeout = std::chrono::seconds(5)});
      return read.output == content;
    });
  }

  const std::shared_ptr<GatedProvider> outer_ = std::make_shared<GatedProvider>("/nested");
  const std::shared_ptr<MemoryProvider> inner_ = std::make_shared<MemoryProvider>();
  std::atomic<int> restarts_ = 0;
  std::atomic<bool> given_up_ = false;
  std::optional<Vm> vm_;
};

TEST_F(MountsInMounts, ADaemonThatDiesWhileOneIsMadeBringsBothBack) {
  stop_in_the_middle();
  kill_daemon();
  outer_->open();
  EXPECT_TRUE(can_be_read("/outer/f", "outer"));
  EXPECT_TRUE(can_be_read("/outer/nested/f", "inner"));
}

TEST_F(MountsInMounts, OneThatTakesTooLongIsGivenUpAndTheOtherServed) {
  stop_in_the_middle();
  EXPECT_TRUE(eventually([&] { return given_up_.load(); }, std::chrono::minutes(1)));
  outer_->open();
  EXPECT_TRUE(can_be_read("/outer/f", "outer"));
}

TEST(MountOptions, AMountThatCoversTheConfigurationForbidsIngress) {
  ImageStoreOptions store{.store = {}, .guest_dir = GONDOLIN_GUEST_PROGRAMS};
  VmOptions options;
  options.image_store = store;
  options.mounts = {{.path = "/etc/gondolin/", .provider = std::make_shared<MemoryProvider>()}};
  Vm vm = Vm::create(std::move(options));
  try {
    static_cast<void>(vm.enable_ingress({}));
    ADD_FAILURE() << "ingress without /etc/gondolin";
  } catch (const ApiError& error) {
    EXPECT_EQ(error.code(), ApiErrorCode::kInvalidArgument);
    EXPECT_THAT(error.what(), HasSubstr("the mount at /etc/gondolin covers"));
  }
}

TEST(MountOptions, TheCommandLineMountsAndSaysWhatIsWrong) {
  const fs::path directory = mounted_vm().host();
  std::ofstream(directory / "cli") << "seen";
  CommandResult result =
      run({GONDOLIN_PROGRAM, "exec", "--mount", directory.string() + ":/m", "--mount",
           directory.string() + ":/r:ro", "--", "sh", "-c",
           "cat /r/cli && echo written > /m/cli2 && mkdir -p /m/x/y && mv /m/cli2 /m/x/y/z && "
           "ln -s z /m/x/y/l && chmod 600 /m/x/y/z && touch -d @5 /m/x/y/z && "
           "truncate -s 3 /m/x/y/z && df /m > /dev/null && ls -lR /m > /dev/null && sync && "
           "cat /m/x/y/l && rm -r /m/x && ! touch /r/no 2>/dev/null"});
  EXPECT_EQ(result.status, 0) << result.errors;
  EXPECT_EQ(result.output, "seenwri");
  for (const char* value : {"nowhere", "/tmp:relative", ":/m", "/no such directory:/m"}) {
    CommandResult bad = run({GONDOLIN_PROGRAM, "exec", "--mount", value, "--", "true"});
    EXPECT_NE(bad.status, 0);
    EXPECT_THAT(bad.errors, HasSubstr(std::string("Invalid --mount value: ") + value));
  }
}

}  // namespace
}  // namespace gondolin::test
