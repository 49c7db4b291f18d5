// IngressOptions from JavaScript, with the functions that the gateway calls.
#pragma once

#include <napi.h>

#include <functional>

#include "environment.hpp"
#include "gondolin/ingress.hpp"

namespace gondolin::node {

// All of IngressOptions under the names that src/ingress.ts gives them; `kept` keeps the
// functions. The library checks the ranges.
[[nodiscard]] IngressOptions keep_ingress_options(KeptFunctions& kept, Napi::Object object);

// What `open` returns. Where it refuses an option, whose name the library's message begins
// with, that is thrown with the name that the option has in JavaScript.
[[nodiscard]] Ingress open_with_js_names(const std::function<Ingress()>& open);

}  // namespace gondolin::node
