// What the parsers make of bytes, as text: for tests that compare outcomes, the
// fuzz targets, and the tool that is compared with other implementations.
//
// Bytes are given in pieces, each time in memory of their exact size at a new
// address, so that a parser that keeps pointers or reads too far is found out.
#pragma once

#include <algorithm>
#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "http/body.hpp"
#include "http/request.hpp"
#include "http/response.hpp"

namespace gondolin::http::testing {

inline constexpr std::size_t kWhole = static_cast<std::size_t>(-1);

inline std::string describe(const Rejection& rejection) {
  return "rejected " + std::to_string(to_number(rejection.status)) + ": " +
         std::string(rejection.reason);
}

inline std::string describe(const HeaderList& fields) {
  std::string text;
  for (const Field& field : fields) {
    text.append(field.name).append("=").append(field.value).append("\n");
  }
  return text;
}

inline std::string describe(const BodyFraming& body) {
  switch (body.kind) {
    case BodyKind::kNone:
      return "none";
    case BodyKind::kLength:
      return "length " + std::to_string(body.length);
    case BodyKind::kChunked:
      return "chunked";
    case BodyKind::kUntilClose:
      return "until close";
  }
  return "";
}

inline std::string describe(const RequestHead& head) {
  std::string text = "method " + std::string(head.method);
  text += "\ntarget " + std::string(head.target.text);
  text += "\npath " + std::string(head.target.path);
  text += "\nquery " + std::string(head.target.query);
  text += "\nauthority " + std::string(head.authority);
  text += "\nform " + std::to_string(static_cast<int>(head.target.form));
  text += head.version == Version::kHttp10 ? "\nversion 1.0" : "\nversion 1.1";
  text += head.persistence == Persistence::kClose ? "\nclose" : "\nkeep-alive";
  text += "\nexpectation " + std::to_string(static_cast<int>(head.expectation));
  text += "\nupgrade " + std::to_string(static_cast<int>(head.upgrade));
  text += "\nbody " + describe(head.body);
  text += "\nsize " + std::to_string(head.size) + "\n";
  return text + describe(head.fields);
}

inline std::string describe(const ResponseHead& head) {
  std::string text = "status " + std::to_string(to_number(head.status));
  text += "\nreason " + std::string(head.reason);
  text += head.version == Version::kHttp10 ? "\nversion 1.0" : "\nversion 1.1";
  text += "\nbody " + describe(head.body);
  text += "\nlength " + (head.content_length ? std::to_string(*head.content_length) : "none");
  text += "\nsize " + std::to_string(head.size) + "\n";
  return text + describe(head.fields);
}

// Shows `parser` more and more of `bytes`, `step` bytes at a time.
template <typename Parser>
std::string outcome_of(Parser& parser, std::string_view bytes, std::size_t step) {
  std::size_t shown = 0;
  for (;;) {
    shown += std::min(step, bytes.size() - shown);
    const std::vector<char> copy(bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(shown));
    const auto progress = parser.parse({copy.data(), copy.size()});
    if (!progress) return describe(progress.error());
    if (*progress == Progress::kComplete) return describe(parser.head());
    if (shown == bytes.size()) return "need more";
  }
}

inline std::string request_outcome(std::string_view bytes, std::size_t step = kWhole,
                                   const Limits& limits = {}) {
  RequestParser parser(limits);
  return outcome_of(parser, bytes, step);
}

inline std::string response_outcome(std::string_view bytes, ResponseTo request = ResponseTo::kOther,
                                    std::size_t step = kWhole, const Limits& limits = {}) {
  ResponseParser parser(request, limits);
  return outcome_of(parser, bytes, step);
}

// The payload, then how it ended and how many bytes are left over.
inline std::string body_outcome(std::string_view bytes, const BodyFraming& framing,
                                std::size_t step = kWhole, const Limits& limits = {}) {
  BodyDecoder decoder(framing, limits);
  std::string payload;
  std::size_t taken = 0;
  while (!decoder.complete() && taken < bytes.size()) {
    const std::size_t size = std::min(step, bytes.size() - taken);
    const std::vector<char> piece(bytes.begin() + static_cast<std::ptrdiff_t>(taken),
                                  bytes.begin() + static_cast<std::ptrdiff_t>(taken + size));
    const auto decoded = decoder.next({piece.data(), piece.size()});
    if (!decoded) return payload + "|" + describe(decoded.error());
    payload.append(decoded->payload);
    taken += decoded->consumed;
  }
  return payload + (decoder.complete() ? "|complete, left " : "|need more, left ") +
         std::to_string(bytes.size() - taken);
}

}  // namespace gondolin::http::testing
