// What ends a call that is in progress: a stop source that JavaScript holds as an opaque
// value, made by newCancellation() and used up by cancel().
#pragma once

#include <napi.h>

#include <memory>
#include <stop_token>

namespace gondolin::node {

// The stop source of `value`; it also stops when the environment ends.
[[nodiscard]] std::shared_ptr<std::stop_source> stop_source_of(Napi::Value value);

// Adds newCancellation() and cancel(cancellation) to the addon's exports.
void export_cancellation(Napi::Env env, Napi::Object exports);

}  // namespace gondolin::node
