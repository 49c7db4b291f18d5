// The character classes of RFC 9110 and RFC 3986 that the parsers are built on,
// and comparison without regard to ASCII case. Bytes are compared as bytes: no
// locale, no transcoding.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

namespace gondolin::http {

namespace detail {

enum CharClass : std::uint8_t {
  kToken = 1,       // tchar, RFC 9110 5.6.2
  kFieldByte = 2,   // field-vchar, SP, HTAB: RFC 9110 5.5, obs-text included
  kTargetByte = 4,  // what a request target may hold; see is_target_byte()
  kRegName = 8,     // unreserved / sub-delims / "%": RFC 3986 3.2.2
  kDigit = 16,
  kHexDigit = 32,
};

inline constexpr std::array<std::uint8_t, 256> kCharClasses = [] {
  std::array<std::uint8_t, 256> table{};
  auto mark = [&table](std::string_view bytes, CharClass kind) {
    for (char c : bytes)
      table[static_cast<unsigned char>(c)] |= kind;
  };
  constexpr std::string_view kAlphanumeric =
      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
  mark(kAlphanumeric, kToken);
  mark("!#$%&'*+-.^_`|~", kToken);
  mark(kAlphanumeric, kRegName);
  mark("-._~!$&'()*+,;=%", kRegName);
  mark("0123456789", kDigit);
  mark("0123456789abcdefABCDEF", kHexDigit);
  for (unsigned c = 0x21; c < 0x100; ++c) {
    if (c == 0x7f) continue;
    table[c] |= kFieldByte;
    if (c != '#') table[c] |= kTargetByte;
  }
  mark(" \t", kFieldByte);
  return table;
}();

[[nodiscard]] constexpr bool is_class(char c, CharClass kind) {
  return (kCharClasses[static_cast<unsigned char>(c)] & kind) != 0;
}

[[nodiscard]] constexpr bool all_of_class(std::string_view text, CharClass kind) {
  for (char c : text) {
    if (!is_class(c, kind)) return false;
  }
  return true;
}

}  // namespace detail

[[nodiscard]] constexpr bool is_token_char(char c) {
  return detail::is_class(c, detail::kToken);
}
[[nodiscard]] constexpr bool is_digit(char c) {
  return detail::is_class(c, detail::kDigit);
}
[[nodiscard]] constexpr bool is_hex_digit(char c) {
  return detail::is_class(c, detail::kHexDigit);
}

// The value of a hexadecimal digit; `c` must be one.
[[nodiscard]] constexpr unsigned hex_value(char c) {
  if (c <= '9') return static_cast<unsigned>(c - '0');
  return static_cast<unsigned>((c | 0x20) - 'a') + 10;
}

// SP or HTAB: the whitespace of OWS, BWS and RWS (RFC 9110 5.6.3).
[[nodiscard]] constexpr bool is_blank(char c) {
  return c == ' ' || c == '\t';
}

// A byte that a field value or reason phrase may hold: anything but control
// bytes, HTAB excepted (RFC 9110 5.5).
[[nodiscard]] constexpr bool is_field_byte(char c) {
  return detail::is_class(c, detail::kFieldByte);
}

// A byte that we let a request target hold: visible ASCII but '#', and 0x80-0xff.
// That is more than RFC 3986 allows, on purpose: browsers send `|` and `{`, curl
// sends UTF-8 as typed, and the backend is to see what the client sent. None of
// these bytes can end the target or the line.
[[nodiscard]] constexpr bool is_target_byte(char c) {
  return detail::is_class(c, detail::kTargetByte);
}

// A method or field name: one or more tchar (RFC 9110 5.6.2).
[[nodiscard]] constexpr bool is_token(std::string_view text) {
  return !text.empty() && detail::all_of_class(text, detail::kToken);
}

// A field value (or reason phrase) that cannot break the message it is written
// into: empty, or field bytes only, with no blank at either end (RFC 9110 5.5).
[[nodiscard]] constexpr bool is_field_value(std::string_view text) {
  if (text.empty()) return true;
  return !is_blank(text.front()) && !is_blank(text.back()) &&
         detail::all_of_class(text, detail::kFieldByte);
}

[[nodiscard]] constexpr char to_lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c;
}

// Equal without regard to ASCII case.
[[nodiscard]] constexpr bool iequals(std::string_view a, std::string_view b) {
  if (a.size() != b.size()) return false;
  for (std::size_t i = 0; i < a.size(); ++i) {
    if (to_lower(a[i]) != to_lower(b[i])) return false;
  }
  return true;
}

// `text` without blanks (SP, HTAB) at its ends.
[[nodiscard]] constexpr std::string_view trim_blanks(std::string_view text) {
  while (!text.empty() && is_blank(text.front()))
    text.remove_prefix(1);
  while (!text.empty() && is_blank(text.back()))
    text.remove_suffix(1);
  return text;
}

}  // namespace gondolin::http
