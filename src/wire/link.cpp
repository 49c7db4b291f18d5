#include "wire/link.hpp"

#include <algorithm>
#include <string>

#include "base/check.hpp"

namespace gondolin::wire {
namespace {

Role other(Role role) {
  return role == Role::kHost ? Role::kGuest : Role::kHost;
}

// Skips to the first place where `pattern` begins, keeping a tail that may be its
// first part; true when all of it is there.
bool skip_to(FrameReader& reader, Bytes pattern) {
  Bytes bytes = reader.buffered();
  auto found = std::search(bytes.begin(), bytes.end(), pattern.begin(), pattern.end());
  if (found != bytes.end()) {
    reader.skip(static_cast<std::size_t>(found - bytes.begin()));
    return true;
  }
  if (bytes.size() >= pattern.size()) reader.skip(bytes.size() - (pattern.size() - 1));
  return false;
}

}  // namespace

Link::Link(Role role, std::uint32_t window, std::size_t buffer)
    : role_(role), window_(window), reader_(buffer) {}

GreetingFrame Link::greet(const Nonce& nonce) {
  GONDOLIN_CHECK(role_ == Role::kGuest);
  nonce_ = nonce;
  greeted_ = true;
  up_ = false;
  return encode_greeting(FrameType::kHello, {.nonce = nonce, .window = window_});
}

GreetingFrame Link::welcome() const {
  GONDOLIN_CHECK(role_ == Role::kHost && up_);
  return encode_greeting(FrameType::kWelcome, {.nonce = peer_.nonce, .window = window_});
}

void Link::lose() {
  GONDOLIN_CHECK(role_ == Role::kHost);
  up_ = false;
}

bool Link::synchronize() {
  if (role_ == Role::kHost) return skip_to(reader_, hello_prefix());
  return greeted_ && skip_to(reader_, welcome_prefix(nonce_));
}

Result<std::optional<LinkEvent>> Link::next() {
  if (!up_ && !synchronize()) return std::nullopt;
  auto frame = reader_.next();
  if (!frame) return tl::unexpected(frame.error());
  if (!*frame) return std::nullopt;
  return accept(**frame);
}

std::optional<Frame> Link::peek() const {
  if (!up_) return std::nullopt;
  auto frame = reader_.peek();
  if (!frame || !*frame || !may_send(other(role_), (*frame)->header.type)) return std::nullopt;
  return *frame;
}

Result<std::optional<LinkEvent>> Link::accept(const Frame& frame) {
  FrameType type = frame.header.type;
  if (!may_send(other(role_), type)) {
    return fail(ErrorCode::kProtocol, "the other end may not send frames of type " +
                                          std::to_string(static_cast<unsigned>(type)));
  }
  if (type == FrameType::kRenew) {
    up_ = greeted_ = false;
    return LinkEvent{.kind = LinkEvent::Kind::kRenew};
  }
  if (type != FrameType::kHello && type != FrameType::kWelcome) {
    return LinkEvent{.kind = LinkEvent::Kind::kFrame, .frame = frame};
  }
  if (type == FrameType::kWelcome && up_) {
    return fail(ErrorCode::kProtocol, "WELCOME without a HELLO");
  }
  auto greeting = decode_greeting(frame.payload);
  if (!greeting) return tl::unexpected(greeting.error());
  peer_ = *greeting;
  up_ = true;
  return LinkEvent{.kind = LinkEvent::Kind::kUp};
}

}  // namespace gondolin::wire
