// What the parts of the Mux share: mux.cpp, and mux_received.cpp.
#pragma once

#include <array>
#include <cstdint>
#include <string>

#include "wire/mux.hpp"

namespace gondolin::wire {

// Frames of a stream that wait for room in the output, in the order they leave.
enum Pending : unsigned {
  kPendingOpen = 1U << 0,
  kPendingOpened = 1U << 1,
  kPendingCredit = 1U << 2,
  kPendingFin = 1U << 3,
  kPendingReset = 1U << 4,
};

inline tl::unexpected<Error> violation(const char* what, std::uint32_t id) {
  return fail(ErrorCode::kProtocol, std::string(what) + " on stream " + std::to_string(id));
}

inline MuxEvent event(MuxEvent::Kind kind, std::uint32_t id, std::uint32_t code = 0) {
  return {.kind = kind, .stream = StreamId{id}, .code = code};
}

inline std::uint32_t value_of(StreamId id) {
  return static_cast<std::uint32_t>(id);
}

inline std::array<std::byte, 4> encode_u32(std::uint32_t value) {
  std::array<std::byte, 4> bytes{};
  store_u32(bytes, value);
  return bytes;
}

}  // namespace gondolin::wire
