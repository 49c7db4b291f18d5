// IngressOptions from JavaScript, with the functions that the gateway calls.
#pragma once

#include <napi.h>

#include "environment.hpp"
#include "gondolin/ingress.hpp"

namespace gondolin::node {

// All of IngressOptions under the names that src/ingress.ts gives them; `kept` keeps the
// functions. The library checks the ranges.
[[nodiscard]] IngressOptions keep_ingress_options(KeptFunctions& kept, Napi::Object object);

}  // namespace gondolin::node
