// Between the rooms' Result values and the public API's exceptions and options.
#pragma once

#include <type_traits>
#include <utility>

#include "base/debug_log.hpp"
#include "base/result.hpp"
#include "gondolin/debug.hpp"
#include "gondolin/error.hpp"

namespace gondolin::api {

[[nodiscard]] ApiErrorCode to_api_code(ErrorCode code);

[[noreturn]] void throw_error(const Error& error);

// The value of `result`, or its error as an ApiError.
template <typename T>
T value_or_throw(Result<T> result) {
  if (!result) throw_error(result.error());
  if constexpr (!std::is_void_v<T>) return std::move(*result);
}

// Throws ApiError(kInvalidArgument) for an unknown topic.
[[nodiscard]] DebugLog make_debug_log(const DebugOptions& options);

}  // namespace gondolin::api
