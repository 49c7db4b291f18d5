// A failing machine: what the user sees then, and that nothing is left behind. Every
// process that a test starts carries a mark in its environment, by which whatever
// outlived it is found. docs/reliability.md lists these and the other rooms' fault tests.

#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <stdexcept>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "gondolin/image.hpp"
#include "support/command.hpp"

namespace gondolin::test {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;
using testing::AllOf;
using testing::AnyOf;
using testing::Eq;
using testing::HasSubstr;
using testing::IsEmpty;

std::string read_file(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

class Faults : public testing::Test {
 protected:
  Faults() {
    std::string path = (fs::temp_directory_path() / "gondolin-XXXXXX").string();
    EXPECT_NE(::mkdtemp(path.data()), nullptr);
    directory_ = path;
    mark_ = "GONDOLIN_TEST_MARK=" + path;
    fs::create_directory(directory_ / "tmp");
  }
  ~Faults() override {
    EXPECT_TRUE(eventually([&] { return marked().empty(); })) << "processes were left behind";
    EXPECT_THAT(names_in(directory_ / "tmp"), IsEmpty()) << "temporary files were left behind";
    fs::remove_all(directory_);
  }

  // `gondolin exec OPTIONS -- sh -c SCRIPT` with more environment, marked.
  std::vector<std::string> exec(const std::string& script, std::vector<std::string> options = {},
                                std::vector<std::string> environment = {}) {
    std::vector<std::string> argv{"env", mark_, "TMPDIR=" + (directory_ / "tmp").string()};
    argv.insert(argv.end(), environment.begin(), environment.end());
    argv.insert(argv.end(), {GONDOLIN_PROGRAM, "exec"});
    argv.insert(argv.end(), options.begin(), options.end());
    argv.insert(argv.end(), {"--", "sh", "-c", script});
    return argv;
  }

  // The marked processes that run.
  std::vector<int> marked() const {
    std::vector<int> found;
    for (const auto& entry : fs::directory_iterator("/proc")) {
      int pid = std::atoi(entry.path().filename().c_str());
      if (pid > 0 && process_exists(pid) &&
          read_file(entry.path() / "environ").find(mark_) != std::string::npos)
        found.push_back(pid);
    }
    return found;
  }

  static std::vector<std::string> names_in(const fs::path& directory) {
    std::vector<std::string> names;
    for (const auto& entry : fs::directory_iterator(directory))
      names.push_back(entry.path().filename().string());
    return names;
  }

  // QEMU under a `gondolin` that has said that its VM is there.
  static int qemu_of(const BackgroundCommand& gondolin) {
    auto children = children_of(gondolin.pid());
    // Never -1, which kill(2) takes for every process there is.
    if (children.size() != 1) throw std::runtime_error("not one QEMU under the process");
    return children.front();
  }

  static std::string url_in(const std::string& errors) {
    auto at = errors.find("http://");
    return errors.substr(at, errors.find('\n', at) - at);
  }

  fs::path directory_;
  std::string mark_;
};

TEST_F(Faults, QemuThatIsKilledEndsTheCommandWithALine) {
  BackgroundCommand gondolin(exec("echo up >&2; sleep 600"));
  gondolin.wait_for_errors("up\n");
  ::kill(qemu_of(gondolin), SIGKILL);
  EXPECT_THAT(gondolin.wait_for_errors("QEMU was killed by signal 9"), HasSubstr("gondolin: "));
  EXPECT_EQ(gondolin.wait(), 1);
}

TEST_F(Faults, AGuestWhoseKernelPanicsEndsTheCommandWithALine) {
  CommandResult result = run(exec("echo 1 > /proc/sys/kernel/sysrq; echo c > /proc/sysrq-trigger"));
  EXPECT_EQ(result.status, 1);
  EXPECT_THAT(result.errors, HasSubstr("the guest's kernel panicked"));
}

TEST_F(Faults, AFrozenGuestIsAnsweredForAndServesAgainAndCanBeEnded) {
  BackgroundCommand gondolin(
      exec("echo '/ :8000' > /etc/gondolin/listeners; echo up >&2; exec python3 -m http.server "
           "--bind 127.0.0.1 8000",
           {"--listen"}));
  const std::string url = url_in(gondolin.wait_for_errors("up\n"));
  auto status = [&] {
    return run({"curl", "-s", "-o", "/dev/null", "-m", "20", "-w", "%{http_code}", url}).output;
  };
  EXPECT_TRUE(eventually([&] { return status() == "200"; }));
  const int qemu = qemu_of(gondolin);
  ::kill(qemu, SIGSTOP);
  EXPECT_EQ(status(), "502") << "not before two seconds have passed, and not never";
  ::kill(qemu, SIGCONT);
  EXPECT_TRUE(eventually([&] { return status() == "200"; }));
  ::kill(qemu, SIGSTOP);
  auto begin = std::chrono::steady_clock::now();
  gondolin.kill(SIGTERM);
  EXPECT_EQ(gondolin.wait(), 128 + SIGTERM);
  EXPECT_LT(std::chrono::steady_clock::now() - begin, 5s);
}

TEST_F(Faults, SignalsInEveryPhaseOfAStartLeaveNothingBehind) {
  for (int signal : {SIGINT, SIGTERM, SIGHUP, SIGKILL}) {
    for (auto pause : {0ms, 3ms, 10ms, 30ms, 60ms, 100ms, 200ms, 400ms, 900ms}) {
      BackgroundCommand gondolin(exec("sleep 600"));
      // Not a wait for an event: the phase is what varies.
      ::usleep(static_cast<useconds_t>(pause.count() * 1000));
      gondolin.kill(signal);
      EXPECT_EQ(gondolin.wait(), 128 + signal) << pause.count() << " ms";
      EXPECT_TRUE(eventually([&] { return marked().empty(); }))
          << "signal " << signal << " after " << pause.count() << " ms";
    }
  }
}

TEST_F(Faults, SignalsThatComeWhileItEndsLeaveNothingBehind) {
  for (int second : {SIGINT, SIGTERM, SIGKILL}) {
    BackgroundCommand gondolin(exec("echo up >&2; trap '' TERM INT; sleep 600"));
    gondolin.wait_for_errors("up\n");
    gondolin.kill(SIGTERM);
    gondolin.kill(second);
    EXPECT_GE(gondolin.wait(), 128);
    EXPECT_TRUE(eventually([&] { return marked().empty(); }));
  }
}

TEST_F(Faults, AClockThatJumpsInTheGuestStopsNothing) {
  CommandResult result =
      run(exec("date -s 2001-01-01; cat /etc/gondolin/status > /dev/null && "
               "date -s 2037-01-01; sleep 0.1; echo '/ :1' > /etc/gondolin/listeners && date +%Y"));
  EXPECT_EQ(result.status, 0) << result.errors;
  EXPECT_THAT(result.output, HasSubstr("2037\n"));
}

TEST_F(Faults, WithoutAPlaceForCachesAVmStartsAllTheSame) {
  // Not even root can make a file there.
  CommandResult result =
      run(exec("echo ran", {}, {"GONDOLIN_TEMPLATE_STORE=/proc/1/no/templates"}));
  EXPECT_EQ(result.status, 0) << result.errors;
  EXPECT_EQ(result.output, "ran\n");
}

TEST_F(Faults, WithoutAPlaceForImagesALineSaysSo) {
  CommandResult result = run(exec("echo ran", {}, {"GONDOLIN_IMAGE_STORE=/proc/1/no/images"}));
  EXPECT_EQ(result.status, 1);
  EXPECT_THAT(result.errors, HasSubstr("/proc/1/no"));
}

// An image store of the test's own with the default image in it; its root is returned, and can be
// damaged.
fs::path copy_image(const fs::path& store) {
  const CommandResult manifest = run({GONDOLIN_PROGRAM, "image", "inspect"});
  EXPECT_EQ(manifest.status, 0) << manifest.errors;
  const auto json = nlohmann::json::parse(manifest.output);
  const fs::path original = gondolin::ImageStore().path();
  for (const char* name : {"blobs", "images", "refs", "roots"})
    fs::create_directories(store / name);
  // Whatever names a blob has its size beside its hash: which blobs there are depends on the
  // kernel.
  const nlohmann::json flat = json.flatten();
  for (const auto& [pointer, value] : flat.items()) {
    const nlohmann::json::json_pointer at(pointer);
    if (at.back() == "sha256" && json.at(at.parent_pointer()).contains("size")) {
      const std::string name = value;
      fs::copy_file(original / "blobs" / name, store / "blobs" / name);
    }
  }
  const std::string id = json["id"];
  std::ofstream(store / "images" / (id + ".json")) << manifest.output;
  std::ofstream(store / "refs/default:latest") << id << "\n";
  return store / "blobs" / json["base"]["root"]["sha256"].get<std::string>();
}

TEST_F(Faults, AnImageWhoseBytesChangedIsNotBooted) {
  const fs::path store = directory_ / "images";
  const fs::path root = copy_image(store);
  std::fstream(root, std::ios::in | std::ios::out | std::ios::binary).seekp(1 << 20) << "changed";
  CommandResult result =
      run(exec("echo ran", {"--no-template"}, {"GONDOLIN_IMAGE_STORE=" + store.string()}));
  EXPECT_EQ(result.status, 1);
  EXPECT_EQ(result.output, "");
  EXPECT_THAT(result.errors,
              AllOf(HasSubstr("is damaged: its root"), HasSubstr("gondolin image build --update")));
  result =
      run({"env", "GONDOLIN_IMAGE_STORE=" + store.string(), GONDOLIN_PROGRAM, "image", "verify"});
  EXPECT_EQ(result.status, 1);
  EXPECT_THAT(result.errors, HasSubstr(root.filename().string()));
}

TEST_F(Faults, ATruncatedImageIsNotBooted) {
  const fs::path store = directory_ / "images";
  fs::resize_file(copy_image(store), 1 << 20);
  CommandResult result = run(exec("echo ran", {}, {"GONDOLIN_IMAGE_STORE=" + store.string()}));
  EXPECT_EQ(result.status, 1);
  EXPECT_EQ(result.output, "");
  EXPECT_THAT(result.errors, HasSubstr("is damaged: its root"));
}

// Answers /read with the exit status of a program that reads what nobody has read before.
constexpr char kReader[] = R"(cat > /tmp/reader.py <<'END'
import http.server, subprocess
class Reader(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        command = 'cat /usr/bin/vim.tiny > /dev/null' if self.path == '/read' else 'cat /dev/null'
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b'%d\n' % subprocess.run(['sh', '-c', command]).returncode)
http.server.HTTPServer(('127.0.0.1', 8000), Reader).serve_forever()
END
echo '/ :8000' > /etc/gondolin/listeners
echo up >&2
exec python3 /tmp/reader.py)";

// Only the user can do that, and no hash at a start sees it coming.
TEST_F(Faults, AnImageThatIsCutShortUnderARunningVmFailsTheGuestsReadsAndNothingElse) {
  const fs::path store = directory_ / "images";
  const fs::path root = copy_image(store);
  BackgroundCommand gondolin(
      exec(kReader, {"--listen"}, {"GONDOLIN_IMAGE_STORE=" + store.string()}));
  const std::string url = url_in(gondolin.wait_for_errors("up\n"));
  auto get = [&](const char* path) { return run({"curl", "-s", "-m", "20", url + path}).output; };
  EXPECT_TRUE(eventually([&] { return get("/nothing") == "0\n"; }));
  fs::resize_file(root, 0);
  EXPECT_EQ(get("/read"), "1\n") << "an error of cat's, not a hang and not other bytes";
  EXPECT_EQ(get("/nothing"), "0\n") << "what the guest has in memory it still has";
  EXPECT_TRUE(process_exists(qemu_of(gondolin)));
  gondolin.kill(SIGTERM);
  EXPECT_EQ(gondolin.wait(), 128 + SIGTERM);
}

// UBSan looks at an object's type through a pipe, and calls it wrong when there can be none.
#ifndef GONDOLIN_SANITIZED
TEST_F(Faults, TooFewDescriptorsToStartALineSaysSo) {
  std::vector<std::string> argv{"sh", "-c", "ulimit -n 9; exec \"$@\"", "sh"};
  for (std::string& word : exec("echo ran"))
    argv.push_back(std::move(word));
  CommandResult result = run(argv);
  EXPECT_EQ(result.status, 1);
  EXPECT_THAT(result.errors, HasSubstr("Too many open files"));
}
#endif

TEST_F(Faults, AFullDiskForTemplatesCostsTheTemplateOnly) {
  const std::string store = directory_ / "store";
  fs::create_directory(store);
  std::vector<std::string> argv{"unshare",
                                "-rm",
                                "sh",
                                "-c",
                                "mount -t tmpfs -o size=48m none " + store +
                                    " && \"$@\"; status=$?; ls -A " + store +
                                    "/templates; exit $status",
                                "sh"};
  for (std::string& word :
       exec("echo ran", {}, {"GONDOLIN_TEMPLATE_STORE=" + store + "/templates"}))
    argv.push_back(std::move(word));
  CommandResult result = run(argv);
  EXPECT_EQ(result.status, 0) << result.errors;
  EXPECT_EQ(result.output, "ran\n");
}

TEST_F(Faults, ATemplateThatCannotGrowCostsTheTemplateOnly) {
  // Files end at 32 MiB there: smaller than the memory of a guest.
  std::vector<std::string> argv{"sh", "-c", "ulimit -f 32768; exec \"$@\"", "sh"};
  for (std::string& word :
       exec("echo ran", {}, {"GONDOLIN_TEMPLATE_STORE=" + (directory_ / "templates").string()}))
    argv.push_back(std::move(word));
  CommandResult result = run(argv);
  EXPECT_EQ(result.status, 0) << result.errors;
  EXPECT_EQ(result.output, "ran\n");
}

}  // namespace
}  // namespace gondolin::test
