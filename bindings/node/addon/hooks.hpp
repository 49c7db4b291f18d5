// Ingress hooks that are JavaScript functions.
//
// The gateway's thread posts each question to the JavaScript thread and goes on; the
// answer comes back through a reply, which JavaScript holds as an opaque value and hands
// to replyAnswer(), replyFail() or replyBlock(), now or when a promise settles. A reply
// that JavaScript loses without an answer is a failure once it is collected, and so is
// every question that the environment's end leaves open: the client is answered 502.
// src/hooks.ts is the other half.
#pragma once

#include <napi.h>

#include "environment.hpp"
#include "gondolin/hooks.hpp"

namespace gondolin::node {

// The hooks of `object` (isAllowed, onRequest, onResponse), whose functions `kept` keeps.
[[nodiscard]] IngressHooks keep_hooks(KeptFunctions& kept, Napi::Object object);

// Adds the functions that answer to the addon's exports.
void export_replies(Napi::Env env, Napi::Object exports);

}  // namespace gondolin::node
