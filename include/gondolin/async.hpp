// Calls that do not block: they return at once, and call back when they are done.
//
// For programs with an event loop of their own, which have no thread to spare for a call
// that waits. What holds for every function whose name begins with "async_":
//
//   - It never throws for what goes wrong (only where memory runs out) and never calls
//     back from within the call. Its completion is called exactly once, also when the
//     object it was called on is closed or destroyed first: with kCancelled then.
//   - Completions are called on the VM's own thread, one at a time; those that the end of
//     the VM cut off may be called on the thread that ends it. They must not block and
//     must not throw, and no blocking function of the library may be called in them: it
//     throws kInvalidArgument. Calling async functions, and destroying any object of the
//     library, is fine there.
//   - A completion may hold the object it belongs to; it is destroyed after its call.
//
// Standard library only.
#pragma once

#include <functional>
#include <optional>
#include <type_traits>
#include <utility>
#include <variant>

#include "gondolin/error.hpp"

namespace gondolin {

// What a call that does not block came to: a value, or the error that the blocking form
// throws.
template <typename T>
class Outcome {
 public:
  // Success with this value.
  Outcome(T value) : state_(std::in_place_index<0>, std::move(value)) {}
  // Failure.
  Outcome(ApiError error) : state_(std::in_place_index<1>, std::move(error)) {}

  // Whether there is a value.
  [[nodiscard]] bool ok() const { return state_.index() == 0; }
  // The same, for `if (outcome)`.
  explicit operator bool() const { return ok(); }

  // The value; throws the error where there is none.
  [[nodiscard]] T& value() & {
    if (!ok()) throw std::get<1>(state_);
    return std::get<0>(state_);
  }
  // The value, to keep; throws the error where there is none.
  [[nodiscard]] T value() && {
    if (!ok()) throw std::get<1>(state_);
    return std::get<0>(std::move(state_));
  }
  // The error; only where there is no value.
  [[nodiscard]] const ApiError& error() const { return std::get<1>(state_); }

 private:
  std::variant<T, ApiError> state_;
};

// The same of a call that gives nothing.
template <>
class Outcome<void> {
 public:
  // Success.
  Outcome() = default;
  // Failure.
  Outcome(ApiError error) : error_(std::move(error)) {}

  // Whether it succeeded.
  [[nodiscard]] bool ok() const { return !error_; }
  // The same, for `if (outcome)`.
  explicit operator bool() const { return ok(); }

  // Throws the error if there is one.
  void value() const {
    if (error_) throw ApiError(*error_);
  }
  // The error; only where there is one.
  [[nodiscard]] const ApiError& error() const { return *error_; }

 private:
  std::optional<ApiError> error_;
};

// What is called when the call is done.
template <typename T>
using Completion = std::function<void(Outcome<T>)>;

}  // namespace gondolin
