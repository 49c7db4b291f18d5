// Every append is checked for bytes that end a line: the last line of defence
// against header injection, at the price of one pass over short text.
#include "http/head_writer.hpp"

#include <array>
#include <charconv>

#include "base/check.hpp"
#include "http/scan.hpp"

namespace gondolin::http {

void HeadWriter::append(std::string_view text) {
  GONDOLIN_CHECK(find_control(text, 0) == text.size());
  text_.append(text);
}

void HeadWriter::append_number(std::uint64_t number) {
  std::array<char, 20> digits;
  const auto end = std::to_chars(digits.begin(), digits.end(), number).ptr;
  text_.append(digits.begin(), end);
}

void HeadWriter::begin_request(std::string_view method,
                               std::initializer_list<std::string_view> target) {
  text_.clear();
  append(method);
  text_.push_back(' ');
  for (std::string_view piece : target)
    append(piece);
  text_.append(" HTTP/1.1\r\n");
}

void HeadWriter::begin_response(StatusCode status, std::string_view reason) {
  text_.assign("HTTP/1.1 ");
  append_number(to_number(status));
  text_.push_back(' ');
  append(reason);
  text_.append("\r\n");
}

void HeadWriter::field(std::string_view name, std::initializer_list<std::string_view> value) {
  append(name);
  text_.append(": ");
  for (std::string_view piece : value)
    append(piece);
  text_.append("\r\n");
}

void HeadWriter::framing(const BodyFraming& body) {
  if (body.kind == BodyKind::kLength) content_length(body.length);
  if (body.kind == BodyKind::kChunked) text_.append("Transfer-Encoding: chunked\r\n");
}

void HeadWriter::content_length(std::uint64_t length) {
  text_.append("Content-Length: ");
  append_number(length);
  text_.append("\r\n");
}

std::string_view HeadWriter::finish() {
  text_.append("\r\n");
  return text_;
}

}  // namespace gondolin::http
