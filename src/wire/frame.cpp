#include "wire/frame.hpp"

#include <string>

#include "base/check.hpp"
#include "wire/handshake.hpp"

namespace gondolin::wire {
namespace {

constexpr std::uint8_t kLowestType = static_cast<std::uint8_t>(FrameType::kHello);
constexpr std::uint8_t kHighestType = static_cast<std::uint8_t>(FrameType::kRenew);

bool belongs_to_stream(FrameType type) {
  switch (type) {
    case FrameType::kOpen:
    case FrameType::kOpened:
    case FrameType::kData:
    case FrameType::kCredit:
    case FrameType::kFin:
    case FrameType::kReset:
      return true;
    case FrameType::kHello:
    case FrameType::kWelcome:
    case FrameType::kMessage:
    case FrameType::kRenew:
      return false;
  }
  return false;
}

bool length_fits(FrameType type, std::uint32_t length) {
  switch (type) {
    case FrameType::kHello:
    case FrameType::kWelcome:
      return length == kGreetingSize;
    case FrameType::kOpened:
    case FrameType::kCredit:
    case FrameType::kReset:
      return length == 4;
    case FrameType::kFin:
    case FrameType::kRenew:
      return length == 0;
    case FrameType::kData:
      return length >= 1 && length <= kMaxPayload;
    case FrameType::kOpen:
    case FrameType::kMessage:
      return length <= kMaxPayload;
  }
  return false;
}

tl::unexpected<Error> bad_header(const char* what, std::uint32_t value) {
  return fail(ErrorCode::kProtocol,
              std::string("frame header: ") + what + " " + std::to_string(value));
}

}  // namespace

std::uint32_t load_u32(Bytes bytes) {
  GONDOLIN_CHECK(bytes.size() >= 4);
  std::uint32_t value = 0;
  for (unsigned i = 0; i < 4; ++i)
    value |= std::to_integer<std::uint32_t>(bytes[i]) << (8 * i);
  return value;
}

void store_u32(MutableBytes bytes, std::uint32_t value) {
  GONDOLIN_CHECK(bytes.size() >= 4);
  for (unsigned i = 0; i < 4; ++i)
    bytes[i] = static_cast<std::byte>(value >> (8 * i));
}

std::array<std::byte, kHeaderSize> encode(const FrameHeader& header) {
  std::array<std::byte, kHeaderSize> bytes{};
  bytes[0] = static_cast<std::byte>(header.type);
  bytes[1] = static_cast<std::byte>(header.flags);
  store_u32(MutableBytes(bytes).subspan(4), header.stream);
  store_u32(MutableBytes(bytes).subspan(8), header.length);
  return bytes;
}

Result<FrameHeader> decode_header(Bytes bytes) {
  GONDOLIN_CHECK(bytes.size() == kHeaderSize);
  auto type_value = std::to_integer<std::uint8_t>(bytes[0]);
  if (type_value < kLowestType || type_value > kHighestType) {
    return bad_header("unknown type", type_value);
  }
  FrameHeader header{
      .type = static_cast<FrameType>(type_value),
      .flags = std::to_integer<std::uint8_t>(bytes[1]),
      .stream = load_u32(bytes.subspan(4)),
      .length = load_u32(bytes.subspan(8)),
  };
  unsigned allowed_flags = header.type == FrameType::kMessage ? kFlagMore : 0U;
  if ((header.flags & ~allowed_flags) != 0) return bad_header("unknown flags", header.flags);
  if (bytes[2] != std::byte{0} || bytes[3] != std::byte{0}) {
    return bad_header("reserved bytes are not zero in type", type_value);
  }
  if (belongs_to_stream(header.type) != (header.stream != 0)) {
    return bad_header("wrong kind of stream id", header.stream);
  }
  if (!length_fits(header.type, header.length))
    return bad_header("impossible length", header.length);
  return header;
}

bool may_send(Role role, FrameType type) {
  switch (type) {
    case FrameType::kHello:
    case FrameType::kOpened:
      return role == Role::kGuest;
    case FrameType::kWelcome:
    case FrameType::kOpen:
    case FrameType::kRenew:
      return role == Role::kHost;
    case FrameType::kData:
    case FrameType::kCredit:
    case FrameType::kFin:
    case FrameType::kReset:
    case FrameType::kMessage:
      return true;
  }
  return false;
}

}  // namespace gondolin::wire
