// Response heads, parsed from the bytes of an untrusted backend (RFC 9112 2, 4, 5, 6).
//
// Works as RequestParser does, and is as strict, but for what the RFC asks a
// gateway to mend: blanks between a field's name and its colon are left out
// (RFC 9112 5.1), and a status line may lack the space before an absent reason.
// Bare LF line ends, folded lines, control bytes, two different Content-Lengths,
// Transfer-Encoding with Content-Length or from HTTP/1.0, any coding but chunked:
// all are garbage, and the client gets 502.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include "http/head_scanner.hpp"
#include "http/header_list.hpp"
#include "http/limits.hpp"
#include "http/message.hpp"
#include "http/status.hpp"

namespace gondolin::http {

// What was asked, as far as the framing of the answer depends on it.
enum class ResponseTo : std::uint8_t { kHead, kOther };

[[nodiscard]] inline ResponseTo response_to(std::string_view method) {
  return method == "HEAD" ? ResponseTo::kHead : ResponseTo::kOther;
}

// All views are of the buffer given to parse().
struct ResponseHead {
  Version version = Version::kHttp11;
  StatusCode status = StatusCode::kOk;  // 100 to 999
  std::string_view reason;              // as sent; may be empty
  HeaderList fields;

  BodyFraming body;  // kNone for HEAD, 1xx, 204 and 304, whatever the fields say
  // What Content-Length says, equal repeats taken as one; of HEAD and 304, where it
  // is the length that a GET would have had, too; never of 1xx and 204, which may
  // not carry it on (RFC 9110 8.6).
  std::optional<std::uint64_t> content_length;
  std::size_t size = 0;  // bytes of the head; the body or the next head begins there

  // 1xx but 101: another head follows on the same connection.
  [[nodiscard]] bool interim() const {
    return to_number(status) < 200 && status != StatusCode::kSwitchingProtocols;
  }
};

// Parses the heads of one exchange, interim ones first. Not thread-safe.
class ResponseParser {
 public:
  explicit ResponseParser(ResponseTo request, const Limits& limits = {});

  // As RequestParser::parse(). The status of a Rejection is always 502.
  [[nodiscard]] Checked<Progress> parse(std::string_view bytes);

  // The parsed head; only after kComplete and until reset().
  [[nodiscard]] const ResponseHead& head() const;

  // Whether the backend has sent anything of this head.
  [[nodiscard]] bool started() const;

  // Makes ready for the next head, which answers the same or another request.
  void reset(ResponseTo request);

 private:
  Checked<Progress> advance(std::string_view bytes);
  Checked<void> take_status_line(std::string_view bytes);
  Checked<void> finish(std::string_view bytes);
  Checked<void> take_framing();

  HeadScanner scanner_;
  ResponseTo request_;
  ResponseHead head_;
  Progress progress_ = Progress::kNeedMore;
  const char* status_line_at_ = nullptr;  // the bytes that head_'s status line views
  std::optional<Rejection> rejection_;
};

}  // namespace gondolin::http
