#include "errors.hpp"

#include <string>
#include <system_error>

#include "environment.hpp"
#include "gondolin/error.hpp"

namespace gondolin::node {
namespace {

const char* code_name(ApiErrorCode code) {
  switch (code) {
    case ApiErrorCode::kInvalidArgument:
      return "INVALID_ARGUMENT";
    case ApiErrorCode::kNotFound:
      return "NOT_FOUND";
    case ApiErrorCode::kUnavailable:
      return "UNAVAILABLE";
    case ApiErrorCode::kTimeout:
      return "TIMEOUT";
    case ApiErrorCode::kCancelled:
      return "CANCELLED";
    case ApiErrorCode::kFailed:
      return "FAILED";
  }
  return "FAILED";
}

Napi::Value make_error(Napi::Env env, const char* code, const std::string& message, int os_error) {
  return Environment::of(env).error_class.New({Napi::String::New(env, code),
                                               Napi::String::New(env, message),
                                               Napi::Number::New(env, os_error)});
}

}  // namespace

Napi::Value to_js_error(Napi::Env env, const std::exception_ptr& error) {
  try {
    std::rethrow_exception(error);
  } catch (const ApiError& known) {
    return make_error(env, code_name(known.code()), known.what(), known.os_error());
  } catch (const std::system_error& failed) {
    return make_error(env, "FAILED", failed.what(), failed.code().value());
  } catch (const std::exception& other) {
    return make_error(env, "FAILED", other.what(), 0);
  }
}

}  // namespace gondolin::node
