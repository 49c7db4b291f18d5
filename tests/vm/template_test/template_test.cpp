// Templates with a real guest: what a copy must not share, and what happens when
// anything is not as it should be. The tests share a store; some bring their own.

#include <signal.h>

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>

#include <gtest/gtest.h>

#include "support/command.hpp"
#include "support/template_directory.hpp"

namespace gondolin::test {
namespace {

namespace fs = std::filesystem;

// Small, so that the suite is quick.
std::vector<std::string> exec(const std::string& script,
                              const std::vector<std::string>& options = {}) {
  std::vector<std::string> command = {GONDOLIN_PROGRAM, "exec", "--memory", "256"};
  command.insert(command.end(), options.begin(), options.end());
  command.insert(command.end(), {"--", "sh", "-c", script});
  return command;
}

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream stream(text);
  for (std::string line; std::getline(stream, line);)
    lines.push_back(line);
  return lines;
}

// The directories in the store: finished templates, and drafts.
struct Content {
  std::vector<fs::path> templates;
  std::vector<fs::path> drafts;
};

Content content_of(const fs::path& store) {
  Content content;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(store, error)) {
    bool draft = entry.path().filename().string().starts_with("draft-");
    (draft ? content.drafts : content.templates).push_back(entry.path());
  }
  return content;
}

// The template of a store that has one.
fs::path only_template(const fs::path& store) {
  auto content = content_of(store);
  EXPECT_EQ(content.templates.size(), 1U);
  return content.templates.empty() ? fs::path() : content.templates.front();
}

// Runs a program with the debug log on; the log tells which way the VM started.
CommandResult run_traced(const std::vector<std::string>& command) {
  std::vector<std::string> traced = {"env", "GONDOLIN_DEBUG=protocol"};
  traced.insert(traced.end(), command.begin(), command.end());
  CommandResult result = run(traced);
  EXPECT_EQ(result.status, 0) << result.errors;
  return result;
}

bool started_from_template(const CommandResult& result) {
  return result.errors.find("its state is taken") == std::string::npos &&
         result.errors.find("goes on from its template") != std::string::npos;
}

TEST(Template, TheFirstStartMakesItAndTheSecondUsesIt) {
  TemplateDirectory store;
  CommandResult first = run_traced(exec("echo hello"));
  EXPECT_EQ(first.output, "hello\n");
  EXPECT_NE(first.errors.find("its state is taken"), std::string::npos) << first.errors;
  fs::path made = only_template(store.path());
  EXPECT_EQ(fs::status(store.path()).permissions(), fs::perms::owner_all);
  EXPECT_EQ(fs::status(made).permissions(), fs::perms::owner_all);

  CommandResult second = run_traced(exec("echo hello"));
  EXPECT_EQ(second.output, "hello\n");
  EXPECT_TRUE(started_from_template(second)) << second.errors;

  CommandResult listed = run({GONDOLIN_PROGRAM, "template", "ls"});
  EXPECT_NE(listed.output.find(made.filename().string().substr(0, 12)), std::string::npos);
  CommandResult removed = run({GONDOLIN_PROGRAM, "template", "rm", made.filename().string()});
  EXPECT_EQ(removed.status, 0) << removed.errors;
  EXPECT_TRUE(content_of(store.path()).templates.empty());
}

// Prints random bytes of OpenSSL and the kernel, a UUID, and of the hello of a TLS client
// its random, its session and its half of the key exchange (X25519).
constexpr const char* kSecrets = R"(
import os, ssl, uuid
print(ssl.RAND_bytes(16).hex())
print(os.urandom(16).hex())
print(uuid.uuid4())
sent = ssl.MemoryBIO()
client = ssl.create_default_context().wrap_bio(ssl.MemoryBIO(), sent, server_hostname="host")
try:
    client.do_handshake()
except ssl.SSLWantReadError:
    pass
hello = sent.read()
print(hello[11:43].hex())
print(hello[44:76].hex())
print(hello.split(bytes.fromhex("001d0020"))[1][:32].hex())
)";

TEST(Template, CopiesShareNoRandomnessNoKeysAndNoIdentityAndKnowTheTime) {
  const std::string script =
      "head -c 16 /dev/urandom | od -An -tx1; cat /proc/sys/kernel/random/uuid "
      "/proc/sys/kernel/random/boot_id /etc/machine-id; python3 -c '" +
      std::string(kSecrets) + "'; hostname; date +%s";
  constexpr std::size_t kUnique = 10;
  std::set<std::string> seen;
  for (int copy = 0; copy < 2; ++copy) {
    CommandResult result = run(exec(script));
    ASSERT_EQ(result.status, 0) << result.errors;
    auto lines = lines_of(result.output);
    ASSERT_EQ(lines.size(), kUnique + 2) << result.output;
    for (std::size_t i = 0; i < kUnique; ++i) {
      EXPECT_GE(lines[i].size(), 32U) << lines[i];
      EXPECT_TRUE(seen.insert(lines[i]).second) << "seen before: " << lines[i];
    }
    EXPECT_EQ(lines[kUnique], "gondolin");
    auto now = std::chrono::duration_cast<std::chrono::seconds>(
        std::chrono::system_clock::now().time_since_epoch());
    EXPECT_NEAR(std::stod(lines[kUnique + 1]), static_cast<double>(now.count()), 5);
  }
}

TEST(Template, CopiesThatRunAtOnceDoNotSeeEachOther) {
  ASSERT_EQ(run(exec("true")).status, 0);
  std::vector<std::unique_ptr<BackgroundCommand>> copies;
  for (int i = 0; i < 3; ++i) {
    copies.push_back(std::make_unique<BackgroundCommand>(
        exec("test ! -e /root/mine && echo " + std::to_string(i) +
             " > /root/mine && dd if=/dev/zero of=/tmp/x bs=1M count=20 2>/dev/null && "
             "test $(cat /root/mine) = " +
             std::to_string(i))));
  }
  for (auto& copy : copies)
    EXPECT_EQ(copy->wait(), 0);
}

TEST(Template, WhatACopyRehearsesEndsOnceItHasItsIdentity) {
  ASSERT_EQ(run(exec("true")).status, 0);
  CommandResult copy =
      run(exec("for i in $(seq 200); do test $(ps -o comm= --ppid 1 | wc -l) = 4 && break; sleep "
               "0.05; done; "
               "ps -o comm= --ppid 1 | sort | xargs"));
  EXPECT_EQ(copy.output, "sandboxd sandboxfs sandboxingress sandboxmounts\n") << copy.errors;
}

TEST(Template, NoTemplateMakesAndUsesNone) {
  TemplateDirectory store;
  CommandResult result = run_traced(exec("true", {"--no-template"}));
  EXPECT_EQ(result.errors.find("template"), std::string::npos) << result.errors;
  EXPECT_TRUE(content_of(store.path()).templates.empty());
}

TEST(Template, AnotherMachineHasAnotherTemplate) {
  TemplateDirectory store;
  ASSERT_EQ(run(exec("true")).status, 0);
  CommandResult other = run_traced(exec("nproc", {"--cpus", "1"}));
  EXPECT_EQ(other.output, "1\n");
  EXPECT_EQ(content_of(store.path()).templates.size(), 2U);
}

TEST(Template, RemovingAllLeavesNone) {
  TemplateDirectory store;
  ASSERT_EQ(run(exec("true")).status, 0);
  ASSERT_EQ(content_of(store.path()).templates.size(), 1U);
  EXPECT_EQ(run({GONDOLIN_PROGRAM, "template", "rm", "--all"}).status, 0);
  EXPECT_TRUE(content_of(store.path()).templates.empty());
}

TEST(Template, ADamagedOneIsMadeAnew) {
  TemplateDirectory store;
  ASSERT_EQ(run(exec("true")).status, 0);
  fs::path made = only_template(store.path());
  std::fstream(made / "state", std::ios::in | std::ios::out).seekp(100) << "damage";
  CommandResult state = run_traced(exec("echo fine"));
  EXPECT_EQ(state.output, "fine\n");
  EXPECT_FALSE(started_from_template(state)) << state.errors;
  std::ofstream(made / "memory", std::ios::app) << "damage";
  CommandResult memory = run_traced(exec("echo fine"));
  EXPECT_EQ(memory.output, "fine\n");
  EXPECT_FALSE(started_from_template(memory)) << memory.errors;
  EXPECT_TRUE(started_from_template(run_traced(exec("true"))));
}

TEST(Template, TwoProcessesMayMakeItAtOnce) {
  TemplateDirectory store;
  BackgroundCommand first(exec("true"));
  BackgroundCommand second(exec("true"));
  EXPECT_EQ(first.wait(), 0);
  EXPECT_EQ(second.wait(), 0);
  Content content = content_of(store.path());
  EXPECT_EQ(content.templates.size(), 1U);
  EXPECT_TRUE(content.drafts.empty());
}

TEST(Template, AMakerThatIsKilledLeavesNothingHalfMade) {
  TemplateDirectory store;
  {
    BackgroundCommand maker(exec("true"));
    EXPECT_TRUE(eventually([&] {
      auto drafts = content_of(store.path()).drafts;
      return !drafts.empty() && fs::exists(drafts.front() / "memory");
    }));
    maker.kill(SIGKILL);
    maker.wait();
  }
  EXPECT_TRUE(content_of(store.path()).templates.empty());
  ASSERT_EQ(run(exec("true")).status, 0);
  Content content = content_of(store.path());
  EXPECT_EQ(content.templates.size(), 1U);
  EXPECT_TRUE(content.drafts.empty());
}

}  // namespace
}  // namespace gondolin::test
