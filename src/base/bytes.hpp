// Views of raw bytes, and the two casts between them and text.
#pragma once

#include <cstddef>
#include <span>
#include <string_view>
#include <vector>

namespace gondolin {

using Bytes = std::span<const std::byte>;
using MutableBytes = std::span<std::byte>;
using ByteBuffer = std::vector<std::byte>;

[[nodiscard]] inline Bytes as_bytes(std::string_view text) {
  return std::as_bytes(std::span(text.data(), text.size()));
}

[[nodiscard]] inline std::string_view as_text(Bytes bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

}  // namespace gondolin
