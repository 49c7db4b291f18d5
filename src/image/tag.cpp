#include "image/tag.hpp"

#include <algorithm>

namespace gondolin::image {
namespace {

constexpr std::size_t kLongestPart = 128;

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}
bool is_lower(char c) {
  return c >= 'a' && c <= 'z';
}
bool is_upper(char c) {
  return c >= 'A' && c <= 'Z';
}

bool valid_part(std::string_view part) {
  const auto allowed = [](char c) {
    return is_digit(c) || is_lower(c) || is_upper(c) || c == '.' || c == '_' || c == '-';
  };
  return !part.empty() && part.size() <= kLongestPart && part.front() != '.' &&
         part.front() != '-' && std::ranges::all_of(part, allowed);
}

}  // namespace

Result<std::string> normalize_tag(std::string_view text) {
  const std::size_t colon = text.find(':');
  const std::string_view name = text.substr(0, colon);
  const std::string_view version =
      colon == std::string_view::npos ? "latest" : text.substr(colon + 1);
  if (!valid_part(name) || !valid_part(version)) {
    return fail(
        ErrorCode::kInvalidArgument,
        "'" + std::string(text) +
            "' is not a tag: write NAME or NAME:VERSION with letters, digits, '.', '_', '-'");
  }
  return std::string(name) + ":" + std::string(version);
}

bool looks_like_id(std::string_view text) {
  return text.size() >= 6 && text.size() <= 64 &&
         std::ranges::all_of(text, [](char c) { return is_digit(c) || (c >= 'a' && c <= 'f'); });
}

Status check_package_name(std::string_view name) {
  const auto allowed = [](char c) {
    return is_digit(c) || is_lower(c) || c == '+' || c == '-' || c == '.';
  };
  if (name.size() >= 2 && (is_digit(name.front()) || is_lower(name.front())) &&
      std::ranges::all_of(name, allowed))
    return {};
  return fail(ErrorCode::kInvalidArgument,
              "'" + std::string(name) + "' is not the name of a Debian package");
}

}  // namespace gondolin::image
