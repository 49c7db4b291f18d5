// What a program is told of its listeners file.
#include <chrono>
#include <condition_variable>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <mutex>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "api/routes_teller.hpp"
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

TEST(ListenersErrors, ALineAndAReasonAreToldApart) {
  EXPECT_EQ(api::to_listeners_error("line 12: invalid port ':x'"),
            (ListenersError{.line = 12, .reason = "invalid port ':x'"}));
  EXPECT_EQ(api::to_listeners_error("the file is too long"),
            (ListenersError{.line = 0, .reason = "the file is too long"}));
}

}  // namespace
}  // namespace gondolin
