// Errors on their way from the library to JavaScript.
#pragma once

#include <napi.h>

#include <exception>

namespace gondolin::node {

// What is rejected or thrown in JavaScript for `error`: a GondolinError (src/errors.ts)
// whose code says what an ApiError's does, FAILED for every other exception.
[[nodiscard]] Napi::Value to_js_error(Napi::Env env, const std::exception_ptr& error);

// Calls `function`, and throws in JavaScript what it throws.
template <typename Function>
auto guarded(Napi::Env env, Function function) -> decltype(function()) {
  try {
    return function();
  } catch (const Napi::Error&) {
    throw;
  } catch (...) {
    throw Napi::Error(env, to_js_error(env, std::current_exception()));
  }
}

}  // namespace gondolin::node
