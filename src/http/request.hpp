// Request heads, parsed strictly from untrusted bytes (RFC 9112 2, 3, 5, 6).
//
// The parser does no I/O and keeps no copy: the caller collects bytes in a buffer
// of its own and shows all of it again whenever more has come. Every byte is
// looked at once, however small the pieces, and a fault is reported as soon as
// the byte that makes it one is there.
//
// What it is strict about: lines end in CRLF and nothing else; no control byte
// anywhere, HTAB in values excepted; no folded lines; no blank before a colon;
// exactly one space between the parts of the request line; one valid Host. Up to
// kMaxLeadingEmptyLines empty lines before the request line are skipped
// (RFC 9112 2.2). docs/http-differences.md has each decision and its reason.
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

// The forms of RFC 9112 3.2.
enum class TargetForm : std::uint8_t {
  kOrigin,     // /path?query
  kAbsolute,   // http://authority/path?query; no other scheme is accepted
  kAuthority,  // host:port, with CONNECT and only there
  kAsterisk,   // *, with OPTIONS and only there
};

struct RequestTarget {
  TargetForm form = TargetForm::kOrigin;
  std::string_view text;       // as sent
  std::string_view authority;  // kAbsolute and kAuthority: valid, without userinfo
  // kOrigin and kAbsolute: the path as sent; "/" when absolute-form has none, or
  // "*" when that is all of it and the method is OPTIONS (RFC 9112 3.2.4).
  // kAsterisk: "*"; kAuthority: "".
  std::string_view path;
  std::string_view query;  // with its "?", which may stand alone; "" if there is none
};

enum class Expectation : std::uint8_t { kNone, kContinue };

// What the Upgrade field asks for. HTTP/1.0 requests ask for nothing (RFC 9110 7.8).
enum class UpgradeRequest : std::uint8_t {
  kNone,
  kWebSocket,  // lists "websocket"; whether the handshake is right: http/websocket.hpp
  kOther,      // h2c and the like: to be ignored
};

// All views are of the buffer given to parse(), but for `target.path`, which may
// be a literal; they live as long as it stays where it is and as it is.
struct RequestHead {
  std::string_view method;  // a token; case matters
  RequestTarget target;
  Version version = Version::kHttp11;
  HeaderList fields;

  // host[:port] that the request is for: absolute-form's authority, else Host's
  // value (RFC 9112 3.2.2). Valid by parse_authority(), or "": an HTTP/1.0 request
  // may have no Host, and Host may be empty.
  std::string_view authority;
  BodyFraming body;  // kNone, kLength or kChunked
  Persistence persistence = Persistence::kKeepAlive;
  Expectation expectation = Expectation::kNone;  // kNone for HTTP/1.0 (RFC 9110 10.1.1)
  UpgradeRequest upgrade = UpgradeRequest::kNone;
  // Bytes of the head, leading empty lines and the final empty line included: the
  // body or the next request begins there.
  std::size_t size = 0;
};

// Parses one head after another; keeps its memory between them. Not thread-safe.
class RequestParser {
 public:
  explicit RequestParser(const Limits& limits = {});

  // `bytes` is everything received since the head began: what the last call saw
  // plus what came since, not necessarily at the same address.
  // kComplete: head() is there, and says how many of the bytes are its own.
  // kNeedMore: never with limits.head bytes or more.
  // A Rejection (400, 414, 417, 431, 501, 505) is final: later calls repeat it.
  [[nodiscard]] Checked<Progress> parse(std::string_view bytes);

  // The parsed head; only after kComplete and until reset().
  [[nodiscard]] const RequestHead& head() const;

  // What is known of a head that is rejected or not complete: the method ("" without a
  // sound request line) and the fields in front of the fault. `bytes` as for parse().
  struct Partial {
    std::string_view method;
    HeaderList fields;
  };
  [[nodiscard]] Partial partial(std::string_view bytes) const;

  // Whether a request has begun: anything but empty lines has been seen. Tells a
  // request that is late from a connection that is idle.
  [[nodiscard]] bool started() const;

  // Makes ready for the next head.
  void reset();

 private:
  Checked<Progress> advance(std::string_view bytes);
  Checked<void> take_request_line(std::string_view bytes);
  Checked<void> finish(std::string_view bytes);
  Checked<void> take_host();
  Checked<void> take_framing();
  Checked<void> take_connection();
  Checked<void> take_expectation();

  HeadScanner scanner_;
  RequestHead head_;
  Progress progress_ = Progress::kNeedMore;
  const char* request_line_at_ = nullptr;  // the bytes that head_'s request line views
  std::optional<Rejection> rejection_;
};

}  // namespace gondolin::http
