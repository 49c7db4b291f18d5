#include "image/tag.hpp"

#include <gtest/gtest.h>

namespace gondolin::image {
namespace {

TEST(Tag, ANameAloneIsItsLatest) {
  EXPECT_EQ(normalize_tag("default"), "default:latest");
  EXPECT_EQ(normalize_tag("My_tools-2:1.0"), "My_tools-2:1.0");
}

TEST(Tag, NothingThatCouldBeAPathOrAnOptionIsATag) {
  for (const char* text : {"", ":", "a:", ":b", "a:b:c", ".", "..", "../x", "a/b", ".a", "-a",
                           "a:-b", "a b", "a\n", "\xc3\xa4"})
    EXPECT_EQ(normalize_tag(text).error().code, ErrorCode::kInvalidArgument) << text;
  EXPECT_TRUE(normalize_tag(std::string(128, 'a')));
  EXPECT_FALSE(normalize_tag(std::string(129, 'a')));
}

TEST(Id, IsSixToSixtyFourHexDigits) {
  EXPECT_TRUE(looks_like_id("0123ab"));
  EXPECT_TRUE(looks_like_id(std::string(64, 'f')));
  for (const std::string text : {"", "01234", "0123AB", "0123ag"})
    EXPECT_FALSE(looks_like_id(text));
  EXPECT_FALSE(looks_like_id(std::string(65, 'f')));
}

}  // namespace
}  // namespace gondolin::image
