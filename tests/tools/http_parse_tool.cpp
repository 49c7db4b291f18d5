// What src/http makes of messages, for scripts/http-differential.
//
// Reads records from standard input: one byte that says what follows ('Q' a
// request, 'S' a response, 'H' a response to HEAD), four bytes of length, most
// significant first, and so many bytes of message, after which the peer has
// closed. Writes one JSON object a line, text in hexadecimal.
#include <cstdint>
#include <cstdio>
#include <iostream>
#include <iterator>
#include <string>
#include <string_view>

#include <nlohmann/json.hpp>

#include "http/body.hpp"
#include "http/request.hpp"
#include "http/response.hpp"

namespace {

using namespace gondolin::http;
using nlohmann::json;

std::string hex(std::string_view bytes) {
  std::string text;
  for (char c : bytes) {
    text.push_back("0123456789abcdef"[static_cast<unsigned char>(c) >> 4]);
    text.push_back("0123456789abcdef"[static_cast<unsigned char>(c) & 15]);
  }
  return text;
}

json rejected(const Rejection& rejection) {
  return {
      {"verdict", "reject"}, {"status", to_number(rejection.status)}, {"reason", rejection.reason}};
}

void describe(const RequestHead& head, json& result) {
  result["method"] = hex(head.method);
  result["target"] = hex(head.target.text);
  result["minor"] = head.version == Version::kHttp10 ? 0 : 1;
  result["keep_alive"] = head.persistence == Persistence::kKeepAlive;
}

void describe(const ResponseHead& head, json& result) {
  result["code"] = to_number(head.status);
  result["phrase"] = hex(head.reason);
  result["minor"] = head.version == Version::kHttp10 ? 0 : 1;
}

// Reads the body behind the head, up to its end or the end of the bytes.
void read_body(const BodyFraming& framing, std::string_view bytes, json& result) {
  BodyDecoder decoder(framing);
  std::string payload;
  while (!decoder.complete() && !bytes.empty()) {
    const auto step = decoder.next(bytes);
    if (!step) {
      result.update(rejected(step.error()));
      return;
    }
    payload.append(step->payload);
    bytes.remove_prefix(step->consumed);
  }
  result["verdict"] = decoder.end_of_stream() ? "accept" : "incomplete";
  result["body"] = hex(payload);
  result["left"] = bytes.size();
}

template <typename Parser>
json judge(Parser parser, std::string_view bytes) {
  const auto progress = parser.parse(bytes);
  if (!progress) return rejected(progress.error());
  if (*progress == Progress::kNeedMore) return {{"verdict", "incomplete"}};
  json result;
  describe(parser.head(), result);
  result["fields"] = json::array();
  for (const Field& field : parser.head().fields) {
    result["fields"].push_back({hex(field.name), hex(field.value)});
  }
  read_body(parser.head().body, bytes.substr(parser.head().size), result);
  return result;
}

json judge(char kind, std::string_view bytes) {
  switch (kind) {
    case 'Q':
      return judge(RequestParser(), bytes);
    case 'S':
      return judge(ResponseParser(ResponseTo::kOther), bytes);
    case 'H':
      return judge(ResponseParser(ResponseTo::kHead), bytes);
    default:
      return {{"verdict", "unknown record"}};
  }
}

}  // namespace

int main() {
  constexpr std::size_t kPrefix = 5;
  const std::string input{std::istreambuf_iterator<char>(std::cin), {}};
  std::string_view rest = input;
  while (rest.size() >= kPrefix) {
    std::uint32_t size = 0;
    for (char c : rest.substr(1, 4))
      size = (size << 8) | static_cast<unsigned char>(c);
    if (size > rest.size() - kPrefix) break;
    std::cout << judge(rest.front(), rest.substr(kPrefix, size)).dump() << '\n';
    rest.remove_prefix(kPrefix + size);
  }
  if (rest.empty()) return 0;
  std::cerr << "http_parse_tool: the last record is cut short\n";
  return 1;
}
