// The opening handshake of WebSocket, as far as a gateway checks it (RFC 6455 4.2.1).
#pragma once

#include "http/request.hpp"
#include "http/status.hpp"

namespace gondolin::http {

// Whether a request with `upgrade == kWebSocket` is a handshake that may be passed
// on: GET, HTTP/1.1, no body, Connection lists "upgrade", one Sec-WebSocket-Key of
// 16 bytes in base64, one Sec-WebSocket-Version that is a number up to 255 (the
// backend answers 426 to one it does not speak). 400 otherwise.
[[nodiscard]] Checked<void> check_websocket_handshake(const RequestHead& head);

}  // namespace gondolin::http
