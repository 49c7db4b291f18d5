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

TEST(Printable, KeepsUtf8AndShowsWhatIsNone) {
  EXPECT_EQ(printable("caf\xc3\xa9 \xe2\x82\xac \xf0\x9f\x90\x9f"),
            "caf\xc3\xa9 \xe2\x82\xac \xf0\x9f\x90\x9f");
  EXPECT_EQ(printable("caf\xe9"), R"(caf\xe9)") << "Latin-1";
  EXPECT_EQ(printable("\x9b"
                      "31m"),
            R"(\x9b31m)")
      << "a terminal's CSI in one byte";
  EXPECT_EQ(printable("\xc2\x9b"
                      "31m"),
            R"(\xc2\x9b31m)")
      << "and as a character";
  EXPECT_EQ(printable("\xe2\x82"), R"(\xe2\x82)") << "cut off";
  EXPECT_EQ(printable("\xc0\xaf"), R"(\xc0\xaf)") << "longer than it need be";
  EXPECT_EQ(printable("\xed\xa0\x80"), R"(\xed\xa0\x80)") << "a surrogate";
  EXPECT_EQ(printable("\xf4\x90\x80\x80"), R"(\xf4\x90\x80\x80)") << "past the last";
  EXPECT_EQ(printable("\xef\xbb\xbf/"), R"(\xef\xbb\xbf/)") << "a byte order mark";
  EXPECT_EQ(printable("a\xe2\x80\xae"
                      "b"),
            R"(a\xe2\x80\xaeb)")
      << "right-to-left override";
  EXPECT_EQ(printable("\xe2\x80\x93\xe2\x81\x9f"), "\xe2\x80\x93\xe2\x81\x9f") << "a dash, a space";
  EXPECT_EQ(printable(std::string_view("\0", 1)), R"(\x00)");
}

}  // namespace
}  // namespace gondolin
