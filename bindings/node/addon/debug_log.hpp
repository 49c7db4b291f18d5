// The library's debug log as calls of a JavaScript function.
#pragma once

#include <napi.h>

#include "environment.hpp"
#include "gondolin/debug.hpp"

namespace gondolin::node {

// Of `options`, debugTopics ("protocol,exec") and debugLog, a function of topic and line
// that `kept` keeps. Lines that come faster than JavaScript takes them are dropped, and
// counted in a line.
[[nodiscard]] DebugOptions keep_debug_options(KeptFunctions& kept, Napi::Object options);

}  // namespace gondolin::node
