// Numbers as protocols and command lines write them: digits only, no sign, no
// space, no base prefix, no silent overflow.
#pragma once

#include <charconv>
#include <cstdint>
#include <optional>
#include <string_view>

namespace gondolin {

// The value of `text` if it is one or more decimal digits that fit `Unsigned`.
template <typename Unsigned = std::uint64_t>
[[nodiscard]] std::optional<Unsigned> parse_decimal(std::string_view text) {
  Unsigned value{};
  if (text.empty() || text.front() == '+' || text.front() == '-') return std::nullopt;
  const char* end = text.data() + text.size();
  auto [rest, error] = std::from_chars(text.data(), end, value, 10);
  if (error != std::errc{} || rest != end) return std::nullopt;
  return value;
}

}  // namespace gondolin
