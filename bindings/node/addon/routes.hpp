// Routes, from JavaScript and back.
#pragma once

#include <napi.h>

#include <vector>

#include "gondolin/route.hpp"

namespace gondolin::node {

// { prefix, port, stripPrefix }; the prefix is text, which listeners files have as UTF-8.
[[nodiscard]] Napi::Object to_js_route(Napi::Env env, const IngressRoute& route);
[[nodiscard]] Napi::Array to_js_routes(Napi::Env env, const std::vector<IngressRoute>& routes);
// kInvalidArgument for what is no route by its types; the prefix is checked by the library,
// that there are no other properties by src/routes.ts.
[[nodiscard]] std::vector<IngressRoute> read_routes(Napi::Value value);
// normalizeRoutes(routes): what they will be in force. Throws in JavaScript.
[[nodiscard]] Napi::Value normalize_routes_js(const Napi::CallbackInfo& info);

// { routes, error: { line, reason }, warnings }
[[nodiscard]] Napi::Object to_js_routes_event(Napi::Env env, const IngressRoutesEvent& event);

}  // namespace gondolin::node
