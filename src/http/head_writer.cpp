// Every line is checked for bytes that end it: the last line of defence against header
// injection, at the price of one pass over short text.
#include "http/head_writer.hpp"

#include <array>
#include <charconv>

#include "base/check.hpp"
#include "http/scan.hpp"

namespace gondolin::http {

void HeadWriter::end_line(std::size_t begin) {
  GONDOLIN_CHECK(find_control(text_, begin) == text_.size());
  text_.append("\r\n");
}

void HeadWriter::append_number(std::uint64_t number) {
  std::array<char, 20> digits;
  const auto end = std::to_chars(digits.begin(), digits.end(), number).ptr;
  text_.append(digits.begin(), end);
}

void HeadWriter::begin_request(std::string_view method,
                               std::initializer_list<std::string_view> target) {
  text_.assign(method);
  text_.push_back(' ');
  for (std::string_view piece : target)
    text_.append(piece);
  text_.append(" HTTP/1.1");
  end_line(0);
}

void HeadWriter::begin_response(StatusCode status, std::string_view reason) {
  text_.assign("HTTP/1.1 ");
  append_number(to_number(status));
  text_.push_back(' ');
  text_.append(reason);
  end_line(0);
}

void HeadWriter::field(std::string_view name, std::initializer_list<std::string_view> value) {
  const std::size_t begin = text_.size();
  text_.append(name);
  text_.append(": ");
  for (std::string_view piece : value)
    text_.append(piece);
  end_line(begin);
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
