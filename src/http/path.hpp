// The path that a request is routed by and that the backend is asked for.
//
// Dot segments are removed before anything is matched (RFC 3986 5.2.4), whether
// their dots are plain or percent-encoded ("%2e" is the same dot by RFC 3986
// 6.2.2.2). Every other byte stays: "%2F", "//", ";", bad escapes. So the path
// that was matched is the path that is forwarded.
#pragma once

#include <string>
#include <string_view>

namespace gondolin::http {

// Whether `path` has a segment that is ".", "..", or one of these in escapes.
[[nodiscard]] bool has_dot_segments(std::string_view path);

// Removes dot segments. Keeps the memory it needs for that, so that one of these
// per connection makes no allocation per request.
class PathNormalizer {
 public:
  // `path` begins with "/" or is "*" or "". The result is `path` itself where
  // there is nothing to remove, else a view that lives until the next call. It
  // begins with "/" if `path` does, and is never longer.
  [[nodiscard]] std::string_view normalize(std::string_view path);

 private:
  std::string scratch_;
};

}  // namespace gondolin::http
