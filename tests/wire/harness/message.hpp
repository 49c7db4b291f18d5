// HTTP/1.1 messages as a strict recipient reads them: what the client and the
// backend of a test make of the bytes the gateway sent. Whatever breaks the
// grammar of RFC 9112 throws WireFailure: the gateway must never send it.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "harness/connection.hpp"

namespace gondolin::wiretest {

struct Field {
  std::string name;   // as sent
  std::string value;  // without the white space around it

  bool operator==(const Field&) const = default;
};

// A start line and its fields, in order.
struct Head {
  std::string start_line;
  std::vector<Field> fields;

  // The values of every field of that name (any case), in order.
  [[nodiscard]] std::vector<std::string> all(std::string_view name) const;
  // The value of the field that must be there exactly once; throws otherwise.
  [[nodiscard]] std::string one(std::string_view name) const;
  [[nodiscard]] bool has(std::string_view name) const { return !all(name).empty(); }
  // Whether the comma lists of those fields name `member` (any case).
  [[nodiscard]] bool lists(std::string_view name, std::string_view member) const;
  // The fields that the gateway neither sets nor may drop, names in lower case:
  // what the other side sent, as it must arrive.
  [[nodiscard]] std::vector<Field> passed() const;
};

enum class Framing { kNone, kLength, kChunked, kToEnd };
enum class Completeness { kComplete, kTruncated };

struct Response {
  Head head;
  int status = 0;
  Framing framing = Framing::kNone;
  std::string body;
  std::vector<Field> trailers;
  Completeness completeness = Completeness::kComplete;
};

// The method of the request, as far as it decides the framing of the response.
enum class AnswerTo { kGet, kHead };

[[nodiscard]] Head parse_head(std::string_view text);
[[nodiscard]] Head receive_head(Connection& from);

// The next response, 1xx ones included, with its whole body; throws if it is cut off.
[[nodiscard]] Response receive_response(Connection& from, AnswerTo to = AnswerTo::kGet);
// The same, and a body that breaks off is told in `completeness`.
[[nodiscard]] Response receive_any_response(Connection& from, AnswerTo to = AnswerTo::kGet);

// The content of a chunked body up to and including its end, as a backend or
// client reads it; throws on any error and on anything but plain CRLF framing.
[[nodiscard]] std::string receive_chunked(Connection& from);

[[nodiscard]] std::string lower(std::string_view text);

}  // namespace gondolin::wiretest
