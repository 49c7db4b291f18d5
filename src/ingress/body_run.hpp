// The payload of a body, as much of it as is at hand, in one piece.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string_view>

#include "http/body.hpp"

namespace gondolin::ingress {

struct BodyRun {
  std::string_view payload;  // within the bytes given
  std::size_t consumed = 0;  // of the bytes given, `payload` included
  http::Progress progress = http::Progress::kNeedMore;
  // The framing is broken behind `payload`; nothing more can be decoded.
  std::optional<http::Rejection> fault{};
};

// Decodes all of `bytes` that belongs to the body. Where chunk framing lies between
// pieces of payload, the pieces are moved together, over it.
[[nodiscard]] BodyRun decode_run(http::BodyDecoder& decoder, std::span<char> bytes);

}  // namespace gondolin::ingress
