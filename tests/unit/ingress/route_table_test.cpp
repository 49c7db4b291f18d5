#include "ingress/route_table.hpp"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace gondolin::ingress {
namespace {

using ::testing::ElementsAre;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::Not;

class RouteTableTest : public ::testing::Test {
 protected:
  DebugLog log_;
  RouteTable table_{log_};
};

TEST_F(RouteTableTest, AGoodTextIsInForceAtOnce) {
  auto outcome = table_.update("/ :80\n");
  EXPECT_FALSE(outcome.error);
  EXPECT_EQ(table_.generation(), 1U);
  ASSERT_NE(table_.router()->match("/x"), nullptr);
}

TEST_F(RouteTableTest, ABadTextLeavesTheLastGoodTableInForce) {
  table_.update("/ :80\n");
  auto before = table_.router();
  auto outcome = table_.update("/ :80\n/api :x\n");
  EXPECT_EQ(outcome.error, "line 2: invalid port ':x' (1-65535)");
  EXPECT_EQ(table_.router(), before);
  EXPECT_EQ(table_.generation(), 1U);
  EXPECT_THAT(table_.status_text(), HasSubstr("error: line 2: invalid port ':x' (1-65535)\n"));
  EXPECT_THAT(table_.status_text(), HasSubstr("/  :80\n"));
  table_.update("/ :81\n");
  EXPECT_THAT(table_.status_text(), HasSubstr("error: none\n"));
}

TEST_F(RouteTableTest, AStatusOfManyRoutesAndWarningsHasThemAllOrSaysHowMany) {
  std::string text = "/ :1\n";
  for (int i = 0; i < 2000; ++i)
    text += "/ :2\n";
  for (int i = 0; i < 4000; ++i)
    text += fmt::format("/{} :80\n", i);
  EXPECT_FALSE(table_.update(text).error);
  const std::string status = table_.status_text();
  EXPECT_LT(status.size(), 128U * 1024);
  EXPECT_THAT(status, HasSubstr("warning: 1950 more like these\nroutes:\n/  :1\n/0  :80\n"));
  EXPECT_THAT(status, EndsWith("/3999  :80\n"));
}

TEST_F(RouteTableTest, RequestsKeepTheRouterTheyHave) {
  table_.update("/ :80\n");
  auto held = table_.router();
  table_.update("");
  EXPECT_NE(held->match("/"), nullptr);
  EXPECT_EQ(table_.router()->match("/"), nullptr);
}

TEST_F(RouteTableTest, AMissingFileMeansNoRoutes) {
  table_.update("/ :80\n");
  table_.remove();
  EXPECT_EQ(table_.router()->match("/"), nullptr);
  EXPECT_EQ(table_.generation(), 2U);
  EXPECT_EQ(table_.status_text(), "generation: 2\nerror: none\nroutes: none\n");
  // The same text again is a change now.
  table_.update("/ :80\n");
  EXPECT_NE(table_.router()->match("/"), nullptr);
}

TEST_F(RouteTableTest, CanonicalTextIsOfferedOnlyIfItDiffers) {
  EXPECT_EQ(table_.update("/a/ :80").canonical, "/a\t:80\n");
  EXPECT_FALSE(table_.update("/a\t:80\n").canonical);
  EXPECT_FALSE(table_.update("/ :x\n").canonical);
}

TEST_F(RouteTableTest, CommentsDoNotMakeANewGeneration) {
  table_.update("/ :80\n");
  table_.update("# hello\n/ :80\n");
  EXPECT_EQ(table_.generation(), 1U);
}

TEST_F(RouteTableTest, WarningsAreInTheStatusUntilTheyAreMended) {
  EXPECT_THAT(table_.update("/ :1\n/ :2\n").warnings, ElementsAre(HasSubstr("line 2")));
  EXPECT_THAT(table_.status_text(), HasSubstr("warning: line 2: '/' is routed by line 1"));
  table_.update("/ :1\n");
  EXPECT_THAT(table_.status_text(), Not(HasSubstr("warning")));
}

TEST_F(RouteTableTest, ChangesAreReportedOnce) {
  int changes = 0;
  table_.on_change([&] { ++changes; });
  table_.update("/ :1\n");
  table_.update("/ :1\n");
  EXPECT_EQ(changes, 1);
  table_.update("bad");
  EXPECT_EQ(changes, 2);
  table_.remove();
  table_.remove();
  EXPECT_EQ(changes, 3);
}

TEST_F(RouteTableTest, OverSixtyFourKibibytesTheTableStays) {
  table_.update("/ :1\n");
  EXPECT_EQ(table_.update(std::string(70'000, '#')).error, "the file is larger than 64 KiB");
  EXPECT_NE(table_.router()->match("/"), nullptr);
}

}  // namespace
}  // namespace gondolin::ingress
