#include "base/exec_array.hpp"

#include <gtest/gtest.h>

namespace gondolin {
namespace {

TEST(ExecArray, PointsToEveryStringAndEndsWithANull) {
  const std::vector<std::string> strings{"sh", "", "-c"};
  const auto array = exec_array(strings);
  ASSERT_EQ(array.size(), 4U);
  EXPECT_EQ(array[0], strings[0].c_str());
  EXPECT_STREQ(array[1], "");
  EXPECT_STREQ(array[2], "-c");
  EXPECT_EQ(array[3], nullptr);
}

TEST(ExecArray, OfNothingIsANull) {
  EXPECT_EQ(exec_array({}), std::vector<char*>{nullptr});
}

}  // namespace
}  // namespace gondolin
