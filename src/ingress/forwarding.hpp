// The heads the gateway writes: a request's to the backend, a response's to the
// client. What is dropped, what is set, what passes: docs/ingress.md.
#pragma once

#include <cstdint>
#include <string_view>

#include "http/head_writer.hpp"
#include "http/request.hpp"
#include "http/response.hpp"
#include "ingress/hooks.hpp"
#include "ingress/listeners_file.hpp"

namespace gondolin::ingress {

enum class Upgrading : std::uint8_t { kNo, kWebSocket };

// What the forwarded head says beyond what the client's does.
struct Forwarding {
  const Route& route;
  std::string_view path;               // normalized, as it was matched; "*" too
  std::string_view client_address;     // for X-Forwarded-For
  std::string_view gateway_authority;  // Host for a client that names none
  Upgrading upgrading = Upgrading::kNo;
};

// The text lives until the writer's next use.
[[nodiscard]] std::string_view write_request_head(http::HeadWriter& writer,
                                                  const http::RequestHead& head,
                                                  const Forwarding& forwarding);

// The fields of that head, but for those of framing and connection.
[[nodiscard]] OwnedFields forwarded_fields(const http::RequestHead& head,
                                           const Forwarding& forwarding);

// The last fields of a request: what becomes of the connection to the backend.
void write_connection(http::HeadWriter& writer, Upgrading upgrading);

// What the client is told of the connection after this response.
enum class ConnectionNote : std::uint8_t {
  kNone,       // it stays open, as HTTP/1.1 has it
  kKeepAlive,  // it stays open, which an HTTP/1.0 client asked for
  kClose,
  kUpgrade,  // 101
};

// `framing` is the client's, `date` what a response without Date gets as one; interim
// responses and those of HTTP/1.1 that switch protocols get none.
[[nodiscard]] std::string_view write_response_head(http::HeadWriter& writer,
                                                   const http::ResponseHead& head,
                                                   const http::BodyFraming& framing,
                                                   ConnectionNote note, std::string_view date);

}  // namespace gondolin::ingress
