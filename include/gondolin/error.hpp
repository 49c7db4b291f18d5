// The one exception type of the public API.
#pragma once

#include <stdexcept>
#include <string>

#include "gondolin/export.hpp"

namespace gondolin {

// What went wrong, for programs; what() is one sentence for people.
enum class ApiErrorCode {
  kInvalidArgument,  // an option or argument breaks its documented rule
  kNotFound,         // the image, file or route named does not exist
  kUnavailable,      // something needed is missing: a program, a device, the guest
  kTimeout,          // a deadline passed
  kCancelled,        // closed while the call was in progress
  kFailed,           // the operating system or the guest reported a failure
};

// Every failure that the library tells a program of.
class GONDOLIN_API ApiError : public std::runtime_error {
 public:
  // `message` becomes what().
  ApiError(ApiErrorCode code, const std::string& message, int os_error = 0)
      : std::runtime_error(message), code_(code), os_error_(os_error) {}

  // What went wrong, to act upon.
  [[nodiscard]] ApiErrorCode code() const { return code_; }
  // The errno behind it (ENOENT, EEXIST, …), where the operating system of the guest or of
  // the host gave one; 0 otherwise.
  [[nodiscard]] int os_error() const { return os_error_; }

 private:
  ApiErrorCode code_;
  int os_error_;
};

}  // namespace gondolin
