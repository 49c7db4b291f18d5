// Dot segments, by RFC 3986 5.2.4, over segments instead of that section's string
// rewriting: a segment is what follows a "/", up to the next one.
#include "http/path.hpp"

#include <cstddef>
#include <cstdint>

namespace gondolin::http {
namespace {

// Bytes of the dot, plain or escaped, that `text` begins with; 0 if with none.
std::size_t leading_dot(std::string_view text) {
  if (text.starts_with('.')) return 1;
  return text.starts_with("%2e") || text.starts_with("%2E") ? 3 : 0;
}

enum class Segment : std::uint8_t { kPlain, kHere, kParent };

Segment classify(std::string_view segment) {
  const std::size_t first = leading_dot(segment);
  if (first == 0) return Segment::kPlain;
  segment.remove_prefix(first);
  if (segment.empty()) return Segment::kHere;
  const std::size_t second = leading_dot(segment);
  return second != 0 && second == segment.size() ? Segment::kParent : Segment::kPlain;
}

// Takes "/segment" off the front of `path`, which begins with "/".
std::string_view take_segment(std::string_view& path) {
  const std::string_view taken = path.substr(0, path.find('/', 1));
  path.remove_prefix(taken.size());
  return taken;
}

}  // namespace

bool has_dot_segments(std::string_view path) {
  if (!path.starts_with('/')) return false;
  while (!path.empty()) {
    if (classify(take_segment(path).substr(1)) != Segment::kPlain) return true;
  }
  return false;
}

std::string_view PathNormalizer::normalize(std::string_view path) {
  if (!has_dot_segments(path)) return path;
  scratch_.clear();
  while (!path.empty()) {
    const std::string_view segment = take_segment(path);
    const Segment kind = classify(segment.substr(1));
    if (kind == Segment::kPlain) {
      scratch_.append(segment);
      continue;
    }
    if (kind == Segment::kParent && !scratch_.empty()) scratch_.resize(scratch_.rfind('/'));
    if (path.empty()) scratch_.push_back('/');
  }
  return scratch_;
}

}  // namespace gondolin::http
