#include "harness/message.hpp"

#include <algorithm>
#include <array>
#include <charconv>

#include "base/parse_number.hpp"

namespace gondolin::wiretest {
namespace {

[[noreturn]] void refuse(const std::string& why, std::string_view bytes) {
  throw WireFailure(why + " in " + visible(bytes));
}

bool is_token(std::string_view text) {
  static constexpr std::string_view kMarks = "!#$%&'*+-.^_`|~";
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           kMarks.find(c) != std::string_view::npos;
  });
}

std::string_view trim(std::string_view text) {
  const std::size_t first = text.find_first_not_of(" \t");
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

Field parse_field(std::string_view line) {
  const std::size_t colon = line.find(':');
  if (colon == std::string_view::npos || !is_token(line.substr(0, colon))) {
    refuse("malformed field", line);
  }
  for (const char c : line) {
    if (c == '\r' || c == '\n' || c == '\0') refuse("control byte", line);
  }
  return {std::string(line.substr(0, colon)), std::string(trim(line.substr(colon + 1)))};
}

int parse_status(const Head& head) {
  const std::string_view line = head.start_line;
  if (!line.starts_with("HTTP/1.1 ") || line.size() < 13 || line[12] != ' ') {
    refuse("malformed status line", line);
  }
  const auto status = parse_decimal<unsigned>(line.substr(9, 3));
  if (!status) refuse("malformed status", line);
  return static_cast<int>(*status);
}

std::size_t parse_chunk_size(std::string_view line) {
  const std::string_view digits = line.substr(0, line.find(';'));
  std::size_t size = 0;
  const auto [rest, error] = std::from_chars(digits.begin(), digits.end(), size, 16);
  if (digits.empty() || error != std::errc{} || rest != digits.end()) {
    refuse("malformed chunk size", line);
  }
  return size;
}

std::string receive_line(Connection& from) {
  std::string line = from.receive_until("\r\n");
  line.resize(line.size() - 2);
  if (line.find_first_of("\r\n") != std::string::npos) refuse("bare CR or LF", line);
  return line;
}

void receive_chunked_into(Connection& from, std::string& body, std::vector<Field>& trailers) {
  for (;;) {
    const std::size_t size = parse_chunk_size(receive_line(from));
    if (size == 0) break;
    body += from.receive(size);
    from.expect("\r\n");
  }
  for (std::string line = receive_line(from); !line.empty(); line = receive_line(from)) {
    trailers.push_back(parse_field(line));
  }
}

Framing framing_of(const Head& head, int status, AnswerTo to) {
  const auto lengths = head.all("content-length");
  const auto codings = head.all("transfer-encoding");
  if (lengths.size() > 1 || codings.size() > 1 || (!lengths.empty() && !codings.empty())) {
    refuse("ambiguous framing", head.start_line);
  }
  if (to == AnswerTo::kHead || status < 200 || status == 204 || status == 304) {
    return Framing::kNone;
  }
  if (!codings.empty()) {
    if (lower(codings.front()) != "chunked") refuse("unknown coding", codings.front());
    return Framing::kChunked;
  }
  return lengths.empty() ? Framing::kToEnd : Framing::kLength;
}

void receive_body(Connection& from, Response& response) {
  switch (response.framing) {
    case Framing::kNone:
      return;
    case Framing::kLength: {
      const auto length = parse_decimal<std::size_t>(response.head.one("content-length"));
      if (!length) refuse("malformed length", response.head.one("content-length"));
      response.body = from.receive(*length);
      return;
    }
    case Framing::kChunked:
      receive_chunked_into(from, response.body, response.trailers);
      return;
    case Framing::kToEnd: {
      auto [bytes, end] = from.receive_rest();
      response.body = std::move(bytes);
      if (end == End::kReset) throw WireFailure("a body read to the end was reset");
      return;
    }
  }
}

Response receive_response_head(Connection& from, AnswerTo to) {
  Response response;
  response.head = receive_head(from);
  response.status = parse_status(response.head);
  response.framing = framing_of(response.head, response.status, to);
  return response;
}

}  // namespace

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return out;
}

std::vector<std::string> Head::all(std::string_view name) const {
  std::vector<std::string> values;
  for (const Field& field : fields) {
    if (lower(field.name) == lower(name)) values.push_back(field.value);
  }
  return values;
}

std::string Head::one(std::string_view name) const {
  const auto values = all(name);
  if (values.size() != 1) {
    throw WireFailure("expected one field " + std::string(name) + ", found " +
                      std::to_string(values.size()) + " in " + visible(start_line));
  }
  return values.front();
}

bool Head::lists(std::string_view name, std::string_view member) const {
  for (const std::string& value : all(name)) {
    std::string_view rest = value;
    while (!rest.empty()) {
      const std::size_t comma = std::min(rest.find(','), rest.size());
      if (lower(trim(rest.substr(0, comma))) == lower(member)) return true;
      rest.remove_prefix(std::min(comma + 1, rest.size()));
    }
  }
  return false;
}

std::vector<Field> Head::passed() const {
  static constexpr std::array<std::string_view, 10> kSet = {"connection",
                                                            "keep-alive",
                                                            "date",
                                                            "transfer-encoding",
                                                            "via",
                                                            "x-forwarded-for",
                                                            "x-forwarded-host",
                                                            "x-forwarded-proto",
                                                            "x-forwarded-prefix",
                                                            "content-length"};
  std::vector<Field> out;
  for (const Field& field : fields) {
    const std::string name = lower(field.name);
    if (std::find(kSet.begin(), kSet.end(), name) == kSet.end()) out.push_back({name, field.value});
  }
  return out;
}

Head parse_head(std::string_view text) {
  Head head;
  bool first = true;
  while (!text.empty()) {
    const std::size_t end = text.find("\r\n");
    if (end == std::string_view::npos) refuse("line without CRLF", text);
    const std::string_view line = text.substr(0, end);
    text.remove_prefix(end + 2);
    if (first) {
      if (line.find_first_of("\r\n") != std::string_view::npos) refuse("bare CR or LF", line);
      head.start_line = line;
      first = false;
    } else if (!line.empty()) {
      head.fields.push_back(parse_field(line));
    }
  }
  return head;
}

Head receive_head(Connection& from) {
  return parse_head(from.receive_until("\r\n\r\n"));
}

Response receive_response(Connection& from, AnswerTo to) {
  Response response = receive_response_head(from, to);
  receive_body(from, response);
  return response;
}

Response receive_any_response(Connection& from, AnswerTo to) {
  Response response = receive_response_head(from, to);
  try {
    receive_body(from, response);
  } catch (const WireFailure&) {
    response.completeness = Completeness::kTruncated;
    static_cast<void>(from.receive_rest());
  }
  return response;
}

std::string receive_chunked(Connection& from) {
  std::string body;
  std::vector<Field> trailers;
  receive_chunked_into(from, body, trailers);
  return body;
}

}  // namespace gondolin::wiretest
