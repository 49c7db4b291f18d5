// A client that does not mean a handshake must not get a tunnel.
#include "http/websocket.hpp"

#include "base/parse_number.hpp"

namespace gondolin::http {
namespace {

// 16 bytes in base64: 22 digits and two pads.
bool is_key(std::string_view value) {
  constexpr std::size_t kDigits = 22;
  if (value.size() != kDigits + 2 || !value.ends_with("==")) return false;
  for (char c : value.substr(0, kDigits)) {
    const bool letter = to_lower(c) >= 'a' && to_lower(c) <= 'z';
    if (!letter && !is_digit(c) && c != '+' && c != '/') return false;
  }
  return true;
}

// version = DIGIT | (NZDIGIT DIGIT) | ... up to 255 (RFC 6455 4.3).
bool is_version(std::string_view value) {
  return parse_decimal<std::uint8_t>(value) && (value.size() == 1 || value.front() != '0');
}

}  // namespace

Checked<void> check_websocket_handshake(const RequestHead& head) {
  const HeaderList& fields = head.fields;
  auto bad = [](std::string_view reason) { return reject(StatusCode::kBadRequest, reason); };
  if (head.upgrade != UpgradeRequest::kWebSocket) return bad("no WebSocket handshake");
  if (head.method != "GET") return bad("WebSocket handshake without GET");
  if (head.body.kind == BodyKind::kChunked || head.body.length != 0) {
    return bad("WebSocket handshake with a body");
  }
  if (!has_token(fields, FieldName::kConnection, "upgrade")) {
    return bad("WebSocket handshake without Connection: upgrade");
  }
  if (fields.count(FieldName::kSecWebSocketKey) != 1 ||
      !is_key(fields.value(FieldName::kSecWebSocketKey))) {
    return bad("WebSocket handshake without a valid Sec-WebSocket-Key");
  }
  if (fields.count(FieldName::kSecWebSocketVersion) != 1 ||
      !is_version(fields.value(FieldName::kSecWebSocketVersion))) {
    return bad("WebSocket handshake without a valid Sec-WebSocket-Version");
  }
  return {};
}

}  // namespace gondolin::http
