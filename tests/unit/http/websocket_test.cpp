// The opening handshake (RFC 6455 4.2.1).
#include "http/websocket.hpp"

#include <string>

#include <gtest/gtest.h>

namespace gondolin::http {
namespace {

constexpr std::string_view kKey = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
constexpr std::string_view kVersion = "Sec-WebSocket-Version: 13\r\n";
constexpr std::string_view kConnection = "Connection: keep-alive, Upgrade\r\n";

// Whether a request with these fields beside Host and Upgrade is a handshake.
bool accepted(std::string_view fields, std::string_view line = "GET / HTTP/1.1") {
  const std::string bytes =
      std::string(line) + "\r\nHost: a\r\nUpgrade: websocket\r\n" + std::string(fields) + "\r\n";
  RequestParser parser;
  const auto progress = parser.parse(bytes);
  EXPECT_TRUE(progress && *progress == Progress::kComplete) << bytes;
  const auto checked = check_websocket_handshake(parser.head());
  if (!checked) EXPECT_EQ(checked.error().status, StatusCode::kBadRequest);
  return checked.has_value();
}

std::string all_but(std::string_view left_out) {
  std::string fields;
  for (std::string_view field : {kKey, kVersion, kConnection}) {
    if (field != left_out) fields.append(field);
  }
  return fields;
}

TEST(WebSocketHandshake, IsAcceptedWhenComplete) {
  EXPECT_TRUE(accepted(all_but("")));
  EXPECT_TRUE(accepted(all_but("") + "Content-Length: 0\r\n"));
  EXPECT_TRUE(accepted(all_but(kVersion) + "Sec-WebSocket-Version: 8\r\n"))
      << "the backend answers 426 to a version that it does not speak";
}

TEST(WebSocketHandshake, NeedsEveryPart) {
  for (std::string_view part : {kKey, kVersion, kConnection}) {
    EXPECT_FALSE(accepted(all_but(part))) << part;
  }
  EXPECT_FALSE(accepted(all_but(""), "POST / HTTP/1.1"));
  EXPECT_FALSE(accepted(all_but(""), "HEAD / HTTP/1.1"));
  EXPECT_FALSE(accepted(all_but(""), "GET / HTTP/1.0"));
}

TEST(WebSocketHandshake, NeedsOneKeyOf16Bytes) {
  for (std::string_view key :
       {"", "dGhlIHNhbXBsZSBub25jZQ",
        "dGhlIHNhbXBsZSBub25jZQ=", "dGhlIHNhbXBsZSBub25jZQ===", "dGhlIHNhbXBsZSBub25j",
        "dGhlIHNhbXBsZSBub25jZS==x", "dGhlIHNhbXBsZSBub25j ZQ=", "dGhlIHNhbXBsZSBub25jZ_=="}) {
    EXPECT_FALSE(accepted(all_but(kKey) + "Sec-WebSocket-Key: " + std::string(key) + "\r\n"))
        << key;
  }
  EXPECT_FALSE(accepted(all_but("") + std::string(kKey)));
}

TEST(WebSocketHandshake, NeedsOneVersionThatIsANumber) {
  for (std::string_view version : {"", "013", "256", "13, 8", "x", "-1", "1.0"}) {
    EXPECT_FALSE(
        accepted(all_but(kVersion) + "Sec-WebSocket-Version: " + std::string(version) + "\r\n"))
        << version;
  }
  EXPECT_FALSE(accepted(all_but("") + std::string(kVersion)));
}

TEST(WebSocketHandshake, HasNoBody) {
  EXPECT_FALSE(accepted(all_but("") + "Content-Length: 1\r\n"));
  EXPECT_FALSE(accepted(all_but("") + "Transfer-Encoding: chunked\r\n"));
}

}  // namespace
}  // namespace gondolin::http
