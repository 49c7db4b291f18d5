// Status codes, and the verdict of a parser on bytes that must not be accepted.
#pragma once

#include <cstdint>
#include <string_view>

#include <tl/expected.hpp>

namespace gondolin::http {

// Any value from 100 to 999 may occur: the named ones are those that we send or
// treat specially.
enum class StatusCode : std::uint16_t {
  kContinue = 100,
  kSwitchingProtocols = 101,
  kOk = 200,
  kNoContent = 204,
  kNotModified = 304,
  kBadRequest = 400,
  kForbidden = 403,
  kNotFound = 404,
  kMethodNotAllowed = 405,
  kRequestTimeout = 408,
  kContentTooLarge = 413,
  kUriTooLong = 414,
  kExpectationFailed = 417,
  kMisdirectedRequest = 421,
  kFieldsTooLarge = 431,
  kInternalServerError = 500,
  kNotImplemented = 501,
  kBadGateway = 502,
  kServiceUnavailable = 503,
  kGatewayTimeout = 504,
  kVersionNotSupported = 505,
};

[[nodiscard]] constexpr unsigned to_number(StatusCode code) {
  return static_cast<unsigned>(code);
}

// The phrase RFC 9110 gives the code, "" for codes it does not know.
[[nodiscard]] std::string_view reason_phrase(StatusCode code);

// Why bytes were refused. Nothing after a rejected message may be parsed: the
// connection it came on is answered, where that is still possible, and closed.
struct Rejection {
  StatusCode status;        // what a client is to be answered
  std::string_view reason;  // for the debug log; a literal, without peer's bytes
};

template <typename T>
using Checked = tl::expected<T, Rejection>;

[[nodiscard]] inline tl::unexpected<Rejection> reject(StatusCode status, std::string_view reason) {
  return tl::unexpected<Rejection>(Rejection{status, reason});
}

}  // namespace gondolin::http
