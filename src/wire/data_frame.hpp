// How large the DATA frames of a Mux are, and the window that fits them.
#pragma once

#include <cstddef>
#include <cstdint>

#include "wire/frame.hpp"

namespace gondolin::wire {

// Bytes of the DATA frames that an end sends, at most. Two are one write(2) of the guest.
inline constexpr std::size_t kMaxData = kMaxFrame / 2 - kHeaderSize;

// A window has room for four. Whoever receives them consumes, and so grants again, whole
// frames: one is consumed while the others are under way, and none of them is a crumb.
inline constexpr std::uint32_t kDataWindow = 4 * kMaxData;

// The guest's on the ingress port, whose uploads are the bulk: each CREDIT is one write of
// the guest to the port, and costs it as much as reading five pages.
inline constexpr std::uint32_t kUploadWindow = 16 * kMaxData;

}  // namespace gondolin::wire
