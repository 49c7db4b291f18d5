#include "base/parse_number.hpp"

#include <cstdint>

#include <gtest/gtest.h>

namespace gondolin {
namespace {

TEST(ParseDecimal, DigitsOnly) {
  EXPECT_EQ(parse_decimal("0"), 0U);
  EXPECT_EQ(parse_decimal("18446744073709551615"), UINT64_MAX);
  for (const char* bad :
       {"", "+1", "-1", " 1", "1 ", "0x1", "1.0", "1e3", "18446744073709551616"}) {
    EXPECT_EQ(parse_decimal(bad), std::nullopt) << bad;
  }
}

TEST(ParseDecimal, MustFitTheType) {
  EXPECT_EQ(parse_decimal<std::uint16_t>("65535"), 65535);
  EXPECT_EQ(parse_decimal<std::uint16_t>("65536"), std::nullopt);
}

}  // namespace
}  // namespace gondolin
