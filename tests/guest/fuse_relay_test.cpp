// The relay of /etc/gondolin without a kernel and without a host: what it does is seen at the
// other ends of its device and of its port. What the messages say does not matter to it.
#include "wire/fuse_relay.hpp"

#include <signal.h>

#include <cerrno>
#include <string>
#include <string_view>
#include <thread>
#include <utility>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "guest/fuse_ends.hpp"
#include "guest/sandboxfs/relay.hpp"

namespace gondolin::guest {
namespace {

using testing::ElementsAre;

constexpr std::string_view kInit = "INIT";
constexpr std::string_view kInitAnswer = "what the kernel may ask for";

// A message of `size` bytes that looks different everywhere.
std::string long_message(std::size_t size, unsigned seed = 0) {
  std::string message(size, '\0');
  for (std::size_t i = 0; i < size; ++i)
    message[i] = static_cast<char>((i * 31 + i / 251 + seed) & 0xff);
  return message;
}

class SandboxFs : public testing::Test {
 protected:
  SandboxFs() : SandboxFs(sockets(SOCK_STREAM)) {}
  ~SandboxFs() override {
    host_.leave();
    if (thread_.joinable()) thread_.join();
  }

  // What serve() has come to; it must be about to end.
  Status end() {
    thread_.join();
    return ended_;
  }

  // A host arrives and is greeted.
  void agree() {
    ASSERT_TRUE(host_.hello());
    host_.welcome();
  }
  void arrive() {
    host_.arrive();
    agree();
  }
  void exchange(std::string_view request, std::string_view answer) {
    ASSERT_TRUE(kernel_.request(request));
    EXPECT_EQ(host_.message(), request);
    host_.answer(answer);
    EXPECT_EQ(kernel_.answer(), answer);
  }
  // The mount is made for the `count`-th time and works.
  void expect_mount(std::size_t count) {
    ASSERT_TRUE(kernel_.wait_mounts(count));
    exchange(kInit, kInitAnswer);
  }
  // A mount that nobody has used.
  void mount() {
    agree();
    expect_mount(1);
  }
  void expect_made_anew() {
    expect_mount(2);
    exchange("LOOKUP", "found");
    EXPECT_THAT(kernel_.calls(), ElementsAre("detach", "mount", "detach", "mount"));
  }
  void expect_kept() {
    exchange("LOOKUP", "found");
    EXPECT_THAT(kernel_.calls(), ElementsAre("detach", "mount"));
  }

 private:
  explicit SandboxFs(std::pair<UniqueFd, UniqueFd> port) : host_(std::move(port.first)) {
    thread_ = std::thread([this, end = std::move(port.second)]() mutable {
      // As the daemon ignores it.
      sigset_t signals;
      ::sigemptyset(&signals);
      ::sigaddset(&signals, SIGPIPE);
      ::pthread_sigmask(SIG_BLOCK, &signals, nullptr);
      auto epoll = Epoll::create();
      FuseRelay relay(std::move(*epoll), std::move(end), kernel_.mounting());
      ended_ = relay.serve();
    });
  }

 protected:
  FuseKernel kernel_;
  FuseHost host_;

 private:
  Status ended_;
  std::thread thread_;
};

TEST_F(SandboxFs, MountsWhenTheHostHasSaidWelcome) {
  ASSERT_TRUE(host_.hello());
  ASSERT_TRUE(host_.settle());
  EXPECT_THAT(kernel_.calls(), ElementsAre("detach"));
  host_.welcome();
  EXPECT_TRUE(kernel_.wait_mounts(1));
  EXPECT_THAT(kernel_.calls(), ElementsAre("detach", "mount"));
}

TEST_F(SandboxFs, CarriesMessagesBothWaysInOrder) {
  mount();
  for (int i = 0; i < 3; ++i)
    ASSERT_TRUE(kernel_.request("request " + std::to_string(i)));
  for (int i = 0; i < 3; ++i)
    EXPECT_EQ(host_.message(), "request " + std::to_string(i));
  for (int i = 0; i < 3; ++i)
    host_.answer("answer " + std::to_string(i));
  for (int i = 0; i < 3; ++i)
    EXPECT_EQ(kernel_.answer(), "answer " + std::to_string(i));
}

TEST_F(SandboxFs, CarriesMessagesOfSeveralFrames) {
  mount();
  for (const std::size_t size : {wire::kMaxPayload - 1, wire::kMaxPayload, wire::kMaxPayload + 1,
                                 2 * wire::kMaxPayload, wire::kMaxFuseMessage}) {
    exchange(long_message(size), long_message(size, 7));
  }
}

TEST_F(SandboxFs, JoinsAnAnswerOfManySmallPieces) {
  mount();
  ASSERT_TRUE(kernel_.request("READ"));
  EXPECT_EQ(host_.message(), "READ");
  host_.piece("da", wire::kFlagMore);
  host_.piece("", wire::kFlagMore);
  host_.piece("t", wire::kFlagMore);
  host_.piece("a", 0);
  EXPECT_EQ(kernel_.answer(), "data");
}

TEST_F(SandboxFs, LeavesRequestsInTheKernelWhileTheHostDoesNotRead) {
  mount();
  unsigned sent = 0;
  const auto request = [&] { return kernel_.request(long_message(wire::kMaxFuseMessage, sent)); };
  while (request() || (host_.settle() && request()))
    ASSERT_LT(++sent, 100U);
  EXPECT_LE(sent, 16U);  // what the two sockets hold, and one
  EXPECT_TRUE(kernel_.request_waits());
  for (unsigned i = 0; i < sent; ++i)
    EXPECT_EQ(host_.message(), long_message(wire::kMaxFuseMessage, i)) << i;
}

// --- a host that is new ---------------------------------------------------------

TEST_F(SandboxFs, KeepsAMountThatNobodyHasUsed) {
  mount();
  arrive();
  EXPECT_EQ(host_.message(), kInit);
  host_.answer(kInitAnswer);
  expect_kept();
}

TEST_F(SandboxFs, ComparesAnInitOfManyFrames) {
  agree();
  ASSERT_TRUE(kernel_.wait_mounts(1));
  const std::string init = long_message(wire::kMaxFuseMessage);
  const std::string answer = long_message(wire::kMaxFuseMessage, 7);
  exchange(init, answer);
  arrive();
  EXPECT_EQ(host_.message(), init);
  host_.answer(answer);
  expect_kept();
}

TEST_F(SandboxFs, KeepsItAgainAndAgain) {
  mount();
  for (int i = 0; i < 3; ++i) {
    arrive();
    EXPECT_EQ(host_.message(), kInit);
    host_.answer(kInitAnswer);
  }
  expect_kept();
}

TEST_F(SandboxFs, KeepsItWhenAHostIsNewBeforeTheLastHasAnswered) {
  mount();
  arrive();
  EXPECT_EQ(host_.message(), kInit);
  host_.piece(kInitAnswer.substr(0, 5), wire::kFlagMore);
  arrive();
  EXPECT_EQ(host_.message(), kInit);
  host_.answer(kInitAnswer);
  expect_kept();
}

TEST_F(SandboxFs, RequestsWaitUntilTheNewHostHasAnswered) {
  mount();
  host_.arrive();
  ASSERT_TRUE(host_.hello());
  ASSERT_TRUE(kernel_.request("LOOKUP"));
  ASSERT_TRUE(host_.settle());
  EXPECT_TRUE(kernel_.request_waits());
  host_.welcome();
  EXPECT_EQ(host_.message(), kInit);
  ASSERT_TRUE(host_.settle());
  EXPECT_TRUE(kernel_.request_waits());
  host_.answer(kInitAnswer);
  EXPECT_EQ(host_.message(), "LOOKUP");
  host_.answer("found");
  EXPECT_EQ(kernel_.answer(), "found");
  EXPECT_THAT(kernel_.calls(), ElementsAre("detach", "mount"));
}

TEST_F(SandboxFs, MakesAMountAnewWhenTheNewHostAnswersInitDifferently) {
  mount();
  arrive();
  EXPECT_EQ(host_.message(), kInit);
  host_.answer("less");
  agree();
  expect_made_anew();
}

TEST_F(SandboxFs, MakesAMountAnewThatWasUsed) {
  mount();
  exchange("LOOKUP", "found");
  arrive();
  expect_made_anew();
}

TEST_F(SandboxFs, MakesAMountAnewThatWasUsedAfterItWasKept) {
  mount();
  arrive();
  EXPECT_EQ(host_.message(), kInit);
  host_.answer(kInitAnswer);
  expect_kept();
  arrive();
  expect_made_anew();
}

TEST_F(SandboxFs, MakesAMountAnewWhoseUseWasNotAnswered) {
  mount();
  ASSERT_TRUE(kernel_.request("LOOKUP"));
  EXPECT_EQ(host_.message(), "LOOKUP");
  arrive();
  expect_made_anew();
}

TEST_F(SandboxFs, MakesAMountAnewWhoseInitWasNotAnswered) {
  agree();
  ASSERT_TRUE(kernel_.wait_mounts(1));
  ASSERT_TRUE(kernel_.request(kInit));
  EXPECT_EQ(host_.message(), kInit);
  host_.piece(kInitAnswer.substr(0, 5), wire::kFlagMore);
  arrive();
  expect_made_anew();
}

// --- ends -----------------------------------------------------------------------

TEST_F(SandboxFs, StartsOverWhenTheMountIsUndoneInTheGuest) {
  mount();
  exchange("LOOKUP", "found");
  kernel_.unmount();
  agree();
  expect_made_anew();
}

TEST_F(SandboxFs, StartsOverWhenAMountIsUndoneThatNobodyHasUsed) {
  mount();
  kernel_.unmount();
  agree();
  expect_made_anew();
}

TEST_F(SandboxFs, StartsOverWhenTheMountIsUndoneBeforeTheNewHostIsGreeted) {
  mount();
  host_.arrive();
  ASSERT_TRUE(host_.hello());
  kernel_.unmount();
  host_.welcome();
  EXPECT_EQ(host_.message(), kInit);
  host_.answer(kInitAnswer);
  agree();
  expect_made_anew();
}

TEST_F(SandboxFs, StartsOverWhenTheMountIsUndoneBeforeTheNewHostHasAnswered) {
  mount();
  arrive();
  EXPECT_EQ(host_.message(), kInit);
  kernel_.unmount();
  ASSERT_TRUE(host_.settle());
  host_.answer(kInitAnswer);
  agree();
  expect_made_anew();
}

TEST_F(SandboxFs, EndsWhenTheMountCannotBeMade) {
  kernel_.refuse_mounts(EPERM);
  agree();
  const Status ended = end();
  ASSERT_FALSE(ended);
  EXPECT_EQ(ended.error().os_error, EPERM);
}

TEST_F(SandboxFs, EndsWithThePort) {
  mount();
  host_.leave();
  const Status ended = end();
  ASSERT_FALSE(ended);
  EXPECT_EQ(ended.error().code, ErrorCode::kClosed);
}

TEST_F(SandboxFs, EndsWhenTheHostSendsAFrameOfAStream) {
  mount();
  host_.frame({.type = wire::FrameType::kData, .stream = 1}, "x");
  const Status ended = end();
  ASSERT_FALSE(ended);
  EXPECT_EQ(ended.error().code, ErrorCode::kProtocol);
}

TEST_F(SandboxFs, EndsWhenTheHostSendsWhatIsNoFrame) {
  mount();
  host_.frame({.type = static_cast<wire::FrameType>(99)}, "");
  const Status ended = end();
  ASSERT_FALSE(ended);
  EXPECT_EQ(ended.error().code, ErrorCode::kProtocol);
}

TEST_F(SandboxFs, EndsWhenTheHostSendsAnAnswerThatIsTooLong) {
  mount();
  host_.answer(long_message(wire::kMaxFuseMessage + 1));
  const Status ended = end();
  ASSERT_FALSE(ended);
  EXPECT_EQ(ended.error().code, ErrorCode::kProtocol);
}

TEST_F(SandboxFs, EndsWhenTheHostSaysWelcomeTwice) {
  mount();
  host_.welcome();
  const Status ended = end();
  ASSERT_FALSE(ended);
  EXPECT_EQ(ended.error().code, ErrorCode::kProtocol);
}

}  // namespace
}  // namespace gondolin::guest
