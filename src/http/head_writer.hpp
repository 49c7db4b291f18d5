// Writes heads as bytes, into memory that is kept from one to the next.
//
// It writes what it is given: the caller gives parsed or checked text only
// (is_token(), is_field_value()), which GONDOLIN_CHECK holds it to for bytes that
// would break the line.
#pragma once

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>

#include "http/message.hpp"
#include "http/status.hpp"

namespace gondolin::http {

class HeadWriter {
 public:
  // "METHOD TARGET HTTP/1.1", the target in pieces, such as {path, query}.
  // Begins anew: what was written before is gone.
  void begin_request(std::string_view method, std::initializer_list<std::string_view> target);

  // "HTTP/1.1 CODE REASON". Begins anew.
  void begin_response(StatusCode status, std::string_view reason);

  // "Name: value", the value in pieces: field("X-Forwarded-For", {old, ", ", client}).
  void field(std::string_view name, std::initializer_list<std::string_view> value);
  void field(std::string_view name, std::string_view value) { field(name, {value}); }

  // Content-Length, Transfer-Encoding: chunked, or nothing for kNone and kUntilClose.
  void framing(const BodyFraming& body);

  // Content-Length of a message whose body is not sent: answers to HEAD, 304.
  void content_length(std::uint64_t length);

  // Ends the head with the empty line. The text lives until the next begin_*().
  [[nodiscard]] std::string_view finish();

 private:
  // Ends the line that began at `begin`.
  void end_line(std::size_t begin);
  void append_number(std::uint64_t number);

  std::string text_;
};

}  // namespace gondolin::http
