// Bodies through the gateway and the VM: whole, unchanged, at once.

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

#include <gtest/gtest.h>

#include "support/shared_vm.hpp"

namespace gondolin::test {
namespace {

constexpr std::size_t kMiB = 1024 * 1024;

class Transfer : public testing::Test {
 protected:
  void SetUp() override {
    vm_.upload("backend.py");
    static bool served = false;
    if (!served) vm_.serve("python /root/backend.py 127.0.0.1 7100", 7100);
    served = true;
    vm_.route({{"/", 7100}});
  }

  // The SHA-256 of the backend's pattern of `size` bytes.
  std::string pattern_hash(std::size_t size) {
    std::string pattern(size, '\0');
    for (std::size_t i = 0; i < size; ++i)
      pattern[i] = static_cast<char>(i % 251);
    return run({"sha256sum"}, pattern).output.substr(0, 64);
  }

  void expect_download(std::size_t size) {
    CommandResult hash = run({"sh", "-c",
                              "curl --silent --show-error --max-time 100 '" + vm_.ingress().url() +
                                  "/size/" + std::to_string(size) + "' | sha256sum"});
    EXPECT_EQ(hash.output.substr(0, 64), pattern_hash(size)) << hash.errors;
  }

  SharedVm& vm_ = shared_vm();
};

TEST_F(Transfer, NineHundredThousandBytesArriveWhole) {
  expect_download(900'000);
}

TEST_F(Transfer, SixtyFourMiBDownArriveWhole) {
  expect_download(64 * kMiB);
}

TEST_F(Transfer, SixtyFourMiBUpArriveWhole) {
  std::string body(64 * kMiB, '\0');
  for (std::size_t i = 0; i < body.size(); ++i)
    body[i] = static_cast<char>(i % 251);
  CommandResult hash = run({"curl", "--silent", "--show-error", "--max-time", "100", "--header",
                            "Content-Type: application/octet-stream", "--data-binary", "@-",
                            vm_.ingress().url() + "/hash"},
                           body);
  EXPECT_EQ(hash.output, pattern_hash(body.size())) << hash.errors;
}

// Nobody accepts, so each upload fills what lies between client and server.
TEST_F(Transfer, ManyStalledUploadsTakeLittleOfTheGuestsMemory) {
  constexpr int kUploads = 300;
  vm_.serve(
      "python -c 'import socket, time; s = socket.create_server((\"127.0.0.1\", 7102), "
      "backlog=1000); time.sleep(1000)'",
      7102);
  vm_.route({{"/", 7100}, {"/stalled", 7102}});
  CommandResult client =
      run({"/usr/bin/python3", std::string(GONDOLIN_TEST_DATA) + "/stalled_uploads.py",
           vm_.ingress().url() + "/stalled", std::to_string(kUploads)});
  EXPECT_GT(std::atol(client.output.c_str()), kUploads * 256L * 1024) << client.errors;
  const CommandResult peak =
      vm_.guest("awk '/VmHWM/ { print $2 }' /proc/$(pidof sandboxingress)/status");
  // 16 MiB, and a quarter of 256 KiB for each, and what the program has besides.
  EXPECT_LT(std::atol(peak.output.c_str()), (16 + kUploads / 16 + 6) * 1024L) << peak.errors;
  // That they lay there at all; on a busy machine not all of each has come by then.
  EXPECT_GT(std::atol(peak.output.c_str()), kUploads / 32 * 1024L);
}

TEST_F(Transfer, ServerSentEventsArriveWhenTheyAreSent) {
  CommandResult times =
      run({"/usr/bin/python3", std::string(GONDOLIN_TEST_DATA) + "/event_times.py",
           vm_.ingress().url() + "/events"});
  std::istringstream output(times.output);
  int count = 0;
  double seconds = 0;
  output >> count >> seconds;
  EXPECT_EQ(count, 3) << times.errors;
  // They are sent over two seconds; held back, they would arrive together.
  EXPECT_GT(seconds, 1.5);
}

TEST_F(Transfer, AWebSocketEchoesBothWays) {
  vm_.upload("websocket_echo.py");
  vm_.serve("python /root/websocket_echo.py 7101", 7101);
  vm_.route({{"/", 7100}, {"/ws", 7101}});
  std::string url = "ws" + vm_.ingress().url().substr(4) + "/ws";
  CommandResult client =
      run({"/usr/bin/python3", std::string(GONDOLIN_TEST_DATA) + "/websocket_client.py", url});
  EXPECT_EQ(client.output, "ok\n") << client.errors;
}

}  // namespace
}  // namespace gondolin::test
