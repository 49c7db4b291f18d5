// A guest whose root means harm, against the host process, which is this one: whatever it
// sends, requests through the same gateway go on or begin again as soon as it stops, this
// process neither grows nor leaks descriptors, and what the user is told stays short.

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support/shared_vm.hpp"

namespace gondolin::test {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define GONDOLIN_TEST_ASAN 1
#endif
#endif
#ifdef GONDOLIN_TEST_ASAN
constexpr long kGrowthKib = 400L * 1024;  // freed memory is kept in quarantine
#else
constexpr long kGrowthKib = 24L * 1024;
#endif

long status_kib(const std::string& field) {
  std::ifstream file("/proc/self/status");
  std::string line;
  while (std::getline(file, line)) {
    if (line.starts_with(field + ":")) return std::stol(line.substr(field.size() + 1));
  }
  ADD_FAILURE() << field;
  return 0;
}

// The largest this process has been since the last call of restart_peak().
long peak_kib() {
  return status_kib("VmHWM");
}

void restart_peak() {
  std::ofstream("/proc/self/clear_refs") << "5";
}

long open_descriptors() {
  auto entries = std::filesystem::directory_iterator("/proc/self/fd");
  return std::distance(begin(entries), end(entries));
}

struct Attack {
  std::string name;
  std::string daemon;  // whose place is taken; "none" for what needs no port
};

void PrintTo(const Attack& attack, std::ostream* out) {
  *out << attack.name << " in the place of " << attack.daemon;
}

class HostileGuest : public testing::TestWithParam<Attack> {
 protected:
  static void SetUpTestSuite() {
    SharedVm& vm = shared_vm();
    vm.upload("backend.py");
    vm.upload("hostile.py");
    // No child of sandboxd, with which it would die.
    ASSERT_EQ(vm.guest("setsid python /root/backend.py 127.0.0.1 7300 >/dev/null 2>&1 </dev/null &")
                  .status,
              0);
    vm.route({{"/", 7300}});
    ASSERT_TRUE(eventually([&] { return vm.curl("/warm").output == "/warm"; }));
  }

  // The guest's shell, which may be under attack itself; nothing when it did not answer.
  std::string try_guest(const std::string& script) {
    try {
      return vm_.guest(script).output;
    } catch (const std::exception&) {
      return {};
    }
  }

  // Goes on beside everything, even the daemon that started it.
  void start(const Attack& attack) {
    static_cast<void>(vm_.guest("rm -f /root/done; setsid python3 /root/hostile.py " + attack.name +
                                " " + attack.daemon +
                                " /root/done >/root/hostile.log 2>&1 </dev/null &"));
  }

  // A request, which must be answered or refused at once, never hang.
  bool served() {
    auto answer = vm_.curl("/still-here", {"--max-time", "15", "--write-out", " %{http_code}"});
    EXPECT_NE(answer.status, 28) << "a request hung";
    return answer.output == "/still-here 200";
  }

  SharedVm& vm_ = shared_vm();
};

TEST_P(HostileGuest, HarmsNobodyButItself) {
  const Attack& attack = GetParam();
  long descriptors = open_descriptors();
  std::size_t told = vm_.events().size();
  restart_peak();
  long before = peak_kib();

  start(attack);
  bool gateway_is_attacked = attack.daemon == "sandboxingress" || attack.daemon == "none";
  std::string result;
  EXPECT_TRUE(eventually(
      [&] {
        bool answered = served();
        EXPECT_TRUE(answered || gateway_is_attacked);
        result = try_guest("cat /root/done 2>/dev/null");
        return !result.empty();
      },
      240s))
      << try_guest("cat /root/hostile.log");
  EXPECT_EQ(result, "carried out") << try_guest("cat /root/hostile.log");

  EXPECT_TRUE(eventually([&] { return served(); })) << "the gateway did not come back";
  EXPECT_TRUE(eventually(
      [&] { return try_guest("cat /etc/gondolin/listeners").find(":7300") != std::string::npos; }));
  EXPECT_LT(peak_kib() - before, kGrowthKib);
  EXPECT_TRUE(eventually([&] { return open_descriptors() <= descriptors + 2; }))
      << open_descriptors() << " after " << descriptors;
  EXPECT_LT(vm_.events().size() - told, 100U);
}

INSTANTIATE_TEST_SUITE_P(
    Attacks, HostileGuest,
    testing::Values(
        Attack{"garbage", "sandboxingress"}, Attack{"garbage", "sandboxd"},
        Attack{"garbage", "sandboxfs"}, Attack{"garbage", "sandboxmounts"},
        Attack{"half_a_frame", "sandboxingress"}, Attack{"half_a_frame", "sandboxd"},
        Attack{"half_a_frame", "sandboxfs"}, Attack{"a_frame_of_four_gigabytes", "sandboxingress"},
        Attack{"hellos", "sandboxingress"}, Attack{"hellos", "sandboxfs"},
        Attack{"violations", "sandboxingress"}, Attack{"violations", "sandboxmounts"},
        Attack{"open_100000_streams", "sandboxingress"}, Attack{"open_100000_streams", "sandboxd"},
        Attack{"streams_nobody_opened", "sandboxingress"}, Attack{"silence", "sandboxingress"},
        Attack{"credit_lie", "sandboxingress"}, Attack{"credit_lie", "sandboxd"},
        Attack{"beyond_the_window", "sandboxingress"}, Attack{"beyond_the_window", "sandboxd"},
        Attack{"opened_twice", "sandboxingress"}, Attack{"data_after_the_end", "sandboxingress"},
        Attack{"a_message_of_four_gigabytes", "sandboxd"}, Attack{"fuse_flood", "sandboxfs"},
        Attack{"fuse_without_end", "sandboxfs"}, Attack{"fill_the_directory", "none"},
        Attack{"kill_all_daemons", "none"}),
    [](const testing::TestParamInfo<Attack>& attack) {
      return attack.param.name + "_" + attack.param.daemon;
    });

TEST_F(HostileGuest, IsToldOfInALine) {
  start({"open_100000_streams", "sandboxingress"});
  EXPECT_TRUE(eventually([&] { return !try_guest("cat /root/done 2>/dev/null").empty(); }));
  EXPECT_THAT(vm_.events(), testing::Contains(HasSubstr("sandboxingress broke the protocol: ")));
}

}  // namespace
}  // namespace gondolin::test
