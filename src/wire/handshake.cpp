#include "wire/handshake.hpp"

#include <algorithm>
#include <string>

#include "base/check.hpp"

namespace gondolin::wire {
namespace {

constexpr std::string_view kMagic = "gondolin";
constexpr std::size_t kNonceAt = 8;
constexpr std::size_t kVersionAt = 24;
constexpr std::size_t kWindowAt = 28;

template <std::size_t N>
std::array<std::byte, N> prefix_of(FrameType type, const Nonce& nonce) {
  GreetingFrame frame = encode_greeting(type, Greeting{.nonce = nonce});
  std::array<std::byte, N> prefix{};
  std::copy_n(frame.begin(), N, prefix.begin());
  return prefix;
}

}  // namespace

GreetingFrame encode_greeting(FrameType type, const Greeting& greeting) {
  GreetingFrame frame{};
  auto header = encode({.type = type, .length = kGreetingSize});
  std::ranges::copy(header, frame.begin());
  MutableBytes payload = MutableBytes(frame).subspan(kHeaderSize);
  std::ranges::copy(as_bytes(kMagic), payload.begin());
  std::ranges::copy(greeting.nonce, payload.subspan(kNonceAt).begin());
  payload[kVersionAt] = static_cast<std::byte>(greeting.version);
  store_u32(payload.subspan(kWindowAt), greeting.window);
  return frame;
}

Result<Greeting> decode_greeting(Bytes payload) {
  GONDOLIN_CHECK(payload.size() == kGreetingSize);
  if (as_text(payload.first(kMagic.size())) != kMagic) {
    return fail(ErrorCode::kProtocol, "handshake: the magic word is missing");
  }
  Greeting greeting;
  std::ranges::copy(payload.subspan(kNonceAt, sizeof(Nonce)), greeting.nonce.begin());
  greeting.version = std::to_integer<std::uint8_t>(payload[kVersionAt]);
  greeting.window = load_u32(payload.subspan(kWindowAt));
  if (greeting.version != kProtocolVersion) {
    return fail(ErrorCode::kProtocol, "handshake: the other end speaks protocol version " +
                                          std::to_string(greeting.version) + ", this end " +
                                          std::to_string(kProtocolVersion));
  }
  return greeting;
}

std::array<std::byte, kHelloPrefix> hello_prefix() {
  return prefix_of<kHelloPrefix>(FrameType::kHello, Nonce{});
}

std::array<std::byte, kWelcomePrefix> welcome_prefix(const Nonce& nonce) {
  return prefix_of<kWelcomePrefix>(FrameType::kWelcome, nonce);
}

std::array<std::byte, kHeaderSize> encode_renew() {
  return encode({.type = FrameType::kRenew});
}

}  // namespace gondolin::wire
