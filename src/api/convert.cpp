#include "api/convert.hpp"

namespace gondolin::api {

ApiErrorCode to_api_code(ErrorCode code) {
  switch (code) {
    case ErrorCode::kInvalidArgument:
      return ApiErrorCode::kInvalidArgument;
    case ErrorCode::kNotFound:
      return ApiErrorCode::kNotFound;
    case ErrorCode::kTimeout:
      return ApiErrorCode::kTimeout;
    case ErrorCode::kCancelled:
      return ApiErrorCode::kCancelled;
    case ErrorCode::kUnavailable:
      return ApiErrorCode::kUnavailable;
    case ErrorCode::kRefused:
    case ErrorCode::kClosed:
    case ErrorCode::kReset:
    case ErrorCode::kLimit:
    case ErrorCode::kProtocol:
    case ErrorCode::kIo:
      return ApiErrorCode::kFailed;
  }
  return ApiErrorCode::kFailed;
}

void throw_error(const Error& error) {
  throw ApiError(to_api_code(error.code), error.message, error.os_error);
}

DebugLog make_debug_log(const DebugOptions& options) {
  DebugTopics topics = value_or_throw(DebugTopics::parse(options.topics));
  if (!options.sink) return {};
  return DebugLog(topics, [sink = options.sink](DebugTopic topic, std::string_view line) {
    sink(debug_topic_name(topic), line);
  });
}

}  // namespace gondolin::api
