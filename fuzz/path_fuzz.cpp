// fuzz: http
// The path rules against RFC 3986 5.2.4 as that section writes it, and against
// what they promise: nothing left to remove, nothing added.
#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/check.hpp"
#include "http/path.hpp"

namespace {

// Writes escaped dots plainly where they make up a whole segment.
std::string with_plain_dots(std::string_view path) {
  std::string result;
  for (std::size_t i = 0; i < path.size();) {
    const std::size_t end = std::min(path.find('/', i + 1), path.size());
    std::string segment(path.substr(i + 1, end - i - 1));
    for (std::size_t at = 0; (at = segment.find('%', at)) != std::string::npos; ++at) {
      const std::string escape = segment.substr(at, 3);
      if (escape == "%2e" || escape == "%2E") segment.replace(at, 3, ".");
    }
    const bool dots = segment == "." || segment == "..";
    result += "/" + (dots ? segment : std::string(path.substr(i + 1, end - i - 1)));
    i = end;
  }
  return result;
}

// The steps A to E of RFC 3986 5.2.4.
std::string remove_dot_segments(std::string input) {
  std::string output;
  while (!input.empty()) {
    if (input.starts_with("/./")) {
      input.erase(0, 2);
    } else if (input == "/.") {
      input = "/";
    } else if (input.starts_with("/../") || input == "/..") {
      input = input == "/.." ? "/" : input.substr(3);
      const std::size_t slash = output.rfind('/');
      output.resize(slash == std::string::npos ? 0 : slash);
    } else {
      const std::size_t end = std::min(input.find('/', 1), input.size());
      output += input.substr(0, end);
      input.erase(0, end);
    }
  }
  return output;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace gondolin::http;
  const std::string path = "/" + std::string(reinterpret_cast<const char*>(data), size);
  PathNormalizer normalizer;
  const std::string result(normalizer.normalize(path));
  GONDOLIN_CHECK(result == remove_dot_segments(with_plain_dots(path)));
  GONDOLIN_CHECK(!has_dot_segments(result));
  GONDOLIN_CHECK(result.starts_with('/') && result.size() <= path.size());
  GONDOLIN_CHECK((result == path) == !has_dot_segments(path));
  return 0;
}
