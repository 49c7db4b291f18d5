// Finding the bytes that structure a head, eight at a time. For this room only.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

#include "http/chars.hpp"

namespace gondolin::http {

// A high bit for each byte of `word` that may be a control byte: for all that are, for HTAB
// too, and above one for a byte that only looks so after a borrow.
[[nodiscard]] constexpr std::uint64_t maybe_control(std::uint64_t word) {
  constexpr std::uint64_t kOnes = 0x0101010101010101;
  constexpr std::uint64_t kHighBits = 0x8080808080808080;
  const std::uint64_t below_space = (word - kOnes * 0x20) & ~word;
  const std::uint64_t delete_as_zero = word ^ (kOnes * 0x7f);
  const std::uint64_t is_delete = (delete_as_zero - kOnes) & ~delete_as_zero;
  return (below_space | is_delete) & kHighBits;
}

// The offset of the first control byte of `text` at or after `from`, HTAB not
// counted; text.size() if there is none.
[[nodiscard]] inline std::size_t find_control(std::string_view text, std::size_t from) {
  static_assert(std::endian::native == std::endian::little);
  const auto first_within = [text](std::size_t at) {
    std::uint64_t word = 0;
    std::memcpy(&word, text.data() + at, sizeof word);
    for (std::uint64_t found = maybe_control(word); found != 0; found &= found - 1) {
      const std::size_t here = at + static_cast<std::size_t>(std::countr_zero(found)) / 8;
      if (!is_field_byte(text[here])) return here;
    }
    return text.size();
  };
  const std::size_t size = text.size();
  std::size_t i = from;
  for (; i + 8 <= size; i += 8) {
    if (const std::size_t found = first_within(i); found != size) return found;
  }
  if (i == size) return size;
  if (size - from >= 8) return first_within(size - 8);  // some of them once more
  for (; i < size; ++i) {
    if (!is_field_byte(text[i])) return i;
  }
  return size;
}

}  // namespace gondolin::http
