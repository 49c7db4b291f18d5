// Finding the bytes that structure a head, eight at a time. For this room only.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

#include "http/chars.hpp"

namespace gondolin::http {

// The offset of the first control byte of `text` at or after `from`, HTAB not
// counted; text.size() if there is none.
[[nodiscard]] inline std::size_t find_control(std::string_view text, std::size_t from) {
  constexpr std::uint64_t kOnes = 0x0101010101010101;
  constexpr std::uint64_t kHighBits = 0x8080808080808080;
  std::size_t i = from;
  for (; i + 8 <= text.size(); i += 8) {
    std::uint64_t word = 0;
    std::memcpy(&word, text.data() + i, 8);
    const std::uint64_t below_space = (word - kOnes * 0x20) & ~word & kHighBits;
    const std::uint64_t delete_as_zero = word ^ (kOnes * 0x7f);
    const std::uint64_t is_delete = (delete_as_zero - kOnes) & ~delete_as_zero & kHighBits;
    if ((below_space | is_delete) == 0) continue;
    for (std::size_t k = i; k < i + 8; ++k) {
      if (!is_field_byte(text[k])) return k;
    }
  }
  for (; i < text.size(); ++i) {
    if (!is_field_byte(text[i])) return i;
  }
  return text.size();
}

}  // namespace gondolin::http
