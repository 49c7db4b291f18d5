// What the outside world can cause is a value: Result<T> holds a T or an Error
// with a code to act on and a sentence to show. What only a bug can cause is an
// assertion (base/check.hpp).
#pragma once

#include <string>
#include <system_error>
#include <utility>

#include <tl/expected.hpp>

namespace gondolin {

enum class ErrorCode {
  kInvalidArgument,  // the caller's input breaks a documented rule
  kNotFound,         // the thing named does not exist
  kRefused,          // the peer said no: connection refused, permission denied
  kClosed,           // the peer ended the stream in order
  kReset,            // the stream or channel broke off
  kTimeout,          // a deadline passed
  kCancelled,        // the owner gave up
  kLimit,            // a documented bound was reached
  kProtocol,         // the peer broke the protocol
  kIo,               // the operating system reported a failure
  kUnavailable,      // something this needs is not there: a program, a device
};

// The errno is kept where the operating system (ours or the guest's) gave one,
// 0 otherwise.
struct Error {
  ErrorCode code;
  std::string message;
  int os_error = 0;
};

template <typename T>
using Result = tl::expected<T, Error>;

using Status = Result<void>;

[[nodiscard]] inline tl::unexpected<Error> fail(ErrorCode code, std::string message) {
  return tl::unexpected<Error>(Error{code, std::move(message)});
}

// A failure of the system call or function `what`, with errno's text behind it.
[[nodiscard]] inline tl::unexpected<Error> fail_errno(const std::string& what, int os_error) {
  return tl::unexpected<Error>(
      Error{ErrorCode::kIo, what + ": " + std::generic_category().message(os_error), os_error});
}

}  // namespace gondolin
