// What a program is told of its listeners file.
#include <chrono>
#include <condition_variable>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "api/routes_teller.hpp"
#include "gondolin/error.hpp"
#include "gondolin/gateway.hpp"

namespace gondolin {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

class RoutesTest : public ::testing::Test {
 protected:
  RoutesTest() {
    std::string pattern = ::testing::TempDir() + "gondolin-routes-XXXXXX";
    directory_ = ::mkdtemp(pattern.data());
  }
  ~RoutesTest() override { std::filesystem::remove_all(directory_); }

  void write(const std::string& text) const {
    std::ofstream(directory_ / "new") << text;
    std::filesystem::rename(directory_ / "new", directory_ / "listeners");
  }

  std::string read() const {
    std::ifstream file(directory_ / "listeners");
    return {std::istreambuf_iterator<char>(file), {}};
  }

  Ingress open() {
    GatewayOptions options;
    options.listeners = directory_ / "listeners";
    options.ingress.on_routes = [this](const IngressRoutesEvent& event) {
      std::lock_guard lock(mutex_);
      events_.push_back(event);
      changed_.notify_all();
    };
    return open_gateway(std::move(options));
  }

  // The first `count` events, once there are as many.
  std::vector<IngressRoutesEvent> events(std::size_t count) {
    std::unique_lock lock(mutex_);
    EXPECT_TRUE(
        changed_.wait_for(lock, std::chrono::seconds(20), [&] { return events_.size() >= count; }));
    return events_;
  }

 private:
  std::filesystem::path directory_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<IngressRoutesEvent> events_;
};

TEST_F(RoutesTest, TheFileIsToldOfWhenTheGatewayOpens) {
  write("/ :8000\n");
  Ingress ingress = open();
  auto told = events(1);
  EXPECT_THAT(told[0].routes, ElementsAre(IngressRoute{.prefix = "/", .port = 8000}));
  EXPECT_FALSE(told[0].error);
}

TEST_F(RoutesTest, ABadLineIsToldByItsNumberAndTheRoutesStay) {
  write("/ :8000\n");
  Ingress ingress = open();
  write("/ :8000\n# fine\n/api :80x\n");
  auto told = events(2);
  ASSERT_TRUE(told[1].error);
  EXPECT_EQ(told[1].error->line, 3u);
  EXPECT_THAT(told[1].error->reason, HasSubstr(":80x"));
  EXPECT_EQ(told[1].routes, told[0].routes);
  write("/api :9000\n");
  told = events(3);
  EXPECT_FALSE(told[2].error);
  EXPECT_EQ(told[2].routes[0].port, 9000);
}

TEST_F(RoutesTest, AChangeThatChangesNothingIsNotTold) {
  write("/ :8000\n");
  Ingress ingress = open();
  write("/ :8000 # with a comment\n");
  ingress.set_routes({{.prefix = "/", .port = 8001}});
  auto told = events(2);
  ASSERT_EQ(told.size(), 2u);
  EXPECT_EQ(told[1].routes[0].port, 8001);
}

// The code and the message that `work` throws; nothing where it does not.
template <typename Work>
std::pair<std::optional<ApiErrorCode>, std::string> thrown(Work work) {
  try {
    work();
    return {};
  } catch (const ApiError& error) {
    return {error.code(), error.what()};
  }
}

TEST_F(RoutesTest, AClosedGatewayTakesNoRoutesAndHasNone) {
  write("/ :8000\n");
  Ingress ingress = open();
  ingress.close();
  EXPECT_EQ(thrown([&] { ingress.set_routes({{.prefix = "/", .port = 8001}}); }).first,
            ApiErrorCode::kCancelled);
  EXPECT_EQ(thrown([&] { static_cast<void>(ingress.routes()); }).first, ApiErrorCode::kCancelled);
  EXPECT_EQ(read(), "/ :8000\n");
  EXPECT_NE(ingress.port(), 0) << "what does not change is still known";
}

TEST_F(RoutesTest, MoreThanAFileMayHoldIsRefusedBeforeItIsWritten) {
  write("/ :8000\n");
  Ingress ingress = open();
  const std::vector<IngressRoute> large = {
      {.prefix = "/" + std::string(64 * 1024, 'a'), .port = 1}};
  auto [code, message] = thrown([&] { ingress.set_routes(large); });
  EXPECT_EQ(code, ApiErrorCode::kInvalidArgument);
  EXPECT_THAT(message, HasSubstr("64 KiB"));
  EXPECT_EQ(read(), "/ :8000\n");
}

TEST(Routes, ThatAreNormalizedAreWhatIsInForce) {
  EXPECT_THAT(normalize_routes({{.prefix = "/api/", .port = 1, .strip_prefix = false},
                                {.prefix = "/", .port = 2},
                                {.prefix = "/api", .port = 3},
                                {.prefix = "/a//", .port = 4}}),
              ElementsAre(IngressRoute{.prefix = "/api", .port = 1, .strip_prefix = false},
                          IngressRoute{.prefix = "/", .port = 2},
                          IngressRoute{.prefix = "/a/", .port = 4}));
  for (const IngressRoute& bad :
       {IngressRoute{.prefix = "api", .port = 1}, IngressRoute{.prefix = "/a b", .port = 1},
        IngressRoute{.prefix = "/", .port = 0}}) {
    EXPECT_EQ(thrown([&] { static_cast<void>(normalize_routes({bad})); }).first,
              ApiErrorCode::kInvalidArgument)
        << bad.prefix;
  }
}

TEST(Gateways, WithoutAFileNameTheOptionThatIsMissing) {
  auto [code, message] = thrown([] { static_cast<void>(open_gateway({})); });
  EXPECT_EQ(code, ApiErrorCode::kInvalidArgument);
  EXPECT_THAT(message, ::testing::StartsWith("listeners must be"));
}

TEST(ListenersErrors, ALineAndAReasonAreToldApart) {
  EXPECT_EQ(api::to_listeners_error("line 12: invalid port ':x'"),
            (ListenersError{.line = 12, .reason = "invalid port ':x'"}));
  EXPECT_EQ(api::to_listeners_error("the file is too long"),
            (ListenersError{.line = 0, .reason = "the file is too long"}));
}

}  // namespace
}  // namespace gondolin
