// What requests and responses have in common.
#pragma once

#include <cstdint>

namespace gondolin::http {

// The minor version that governs a message. HTTP/1.2 and up count as 1.1
// (RFC 9110 2.5); other major versions are never accepted.
enum class Version : std::uint8_t { kHttp10, kHttp11 };

// Whether the connection may carry another message after this one (RFC 9112 9.3).
enum class Persistence : std::uint8_t { kClose, kKeepAlive };

// How the end of a body is found (RFC 9112 6.3).
enum class BodyKind : std::uint8_t {
  kNone,        // there is no body
  kLength,      // Content-Length, which may be 0
  kChunked,     // Transfer-Encoding: chunked
  kUntilClose,  // responses only: whatever comes before the connection ends
};

struct BodyFraming {
  BodyKind kind = BodyKind::kNone;
  std::uint64_t length = 0;  // bytes, for kLength; 0 otherwise

  bool operator==(const BodyFraming&) const = default;
};

// Whether a parser has seen enough.
enum class Progress : std::uint8_t { kNeedMore, kComplete };

}  // namespace gondolin::http
