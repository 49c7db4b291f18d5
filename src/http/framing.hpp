// The fields that say where a message ends and what becomes of its connection
// (RFC 9112 6, RFC 9110 7.6.1, 8.6). For this room only; rejections have the
// status for requests.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include "http/header_list.hpp"
#include "http/message.hpp"
#include "http/status.hpp"

namespace gondolin::http {

// What to do with a Content-Length that is given twice with the same value; RFC
// 9110 8.6 leaves the choice.
enum class EqualLengths : std::uint8_t {
  kRejected,  // in requests: no honest client sends them
  kMerged,    // in responses: some old frameworks do
};

// The value of Content-Length, none if there is no such field. Different values
// and values that are not decimal numbers below 2^63 are rejected.
[[nodiscard]] Checked<std::optional<std::uint64_t>> parse_content_length(const HeaderList& fields,
                                                                         EqualLengths equal);

enum class TransferCoding : std::uint8_t { kNone, kChunked };

// kChunked if there is one Transfer-Encoding field and it says just that. 400 for
// what is no list of codings, for repeated fields and for "chunked" anywhere but
// once and last; 501 for codings that we do not know.
[[nodiscard]] Checked<TransferCoding> parse_transfer_encoding(const HeaderList& fields);

// The options of all Connection fields together.
struct ConnectionOptions {
  bool close = false;
  bool keep_alive = false;
  bool upgrade = false;
  std::size_t others = 0;  // options but these three: names of fields
};

[[nodiscard]] ConnectionOptions parse_connection(const HeaderList& fields);

// "HTTP/1.x" (RFC 9112 2.3); 505 for other major versions, 400 for anything else.
[[nodiscard]] Checked<Version> parse_version(std::string_view text);

}  // namespace gondolin::http
