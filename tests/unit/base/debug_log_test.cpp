#include "base/debug_log.hpp"

#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace gondolin {
namespace {

TEST(DebugTopics, CommaListEnablesEachNamedTopic) {
  auto topics = DebugTopics::parse("vfs, exec");
  ASSERT_TRUE(topics);
  EXPECT_TRUE(topics->enabled(DebugTopic::kVfs));
  EXPECT_TRUE(topics->enabled(DebugTopic::kExec));
  EXPECT_FALSE(topics->enabled(DebugTopic::kProtocol));
}

TEST(DebugTopics, ProtocolShowsIngressToo) {
  auto topics = DebugTopics::parse("protocol");
  ASSERT_TRUE(topics);
  EXPECT_TRUE(topics->enabled(DebugTopic::kIngress));
  EXPECT_FALSE(topics->enabled(DebugTopic::kVfs));
}

TEST(DebugTopics, AllEnablesEverything) {
  auto topics = DebugTopics::parse("all");
  ASSERT_TRUE(topics);
  EXPECT_TRUE(topics->enabled(DebugTopic::kVfs));
  EXPECT_TRUE(topics->enabled(DebugTopic::kIngress));
}

TEST(DebugTopics, UnknownNameIsAnErrorThatListsTheKnownOnes) {
  auto topics = DebugTopics::parse("protocol,nope");
  ASSERT_FALSE(topics);
  EXPECT_EQ(topics.error().message,
            "unknown debug topic 'nope' (protocol, ingress, vfs, exec, all)");
}

TEST(DebugLog, OnlyEnabledTopicsReachTheSinkAndControlBytesAreVisible) {
  std::vector<std::string> lines;
  DebugTopics topics;
  topics.enable(DebugTopic::kVfs);
  DebugLog log(topics, [&](DebugTopic, std::string_view line) { lines.emplace_back(line); });
  log.line(DebugTopic::kVfs, "a\r\nb\x1b[2J\\");
  log.line(DebugTopic::kExec, "hidden");
  EXPECT_EQ(lines, (std::vector<std::string>{R"(a\r\nb\x1b[2J\\)"}));
}

}  // namespace
}  // namespace gondolin
