// The listeners file: the routing table as people write it.
//
//   # comment
//   <prefix> :<port> [key=value ...]     # comment
//
// Parsing is strict and all or nothing: one bad line rejects the file. The same
// pass yields the canonical text: prefixes normalized, one tab between fields,
// LF line ends, a newline at the end; comments, order, blank lines and options
// nobody knows stay. NUL bytes are ignored.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "io/stream.hpp"

namespace gondolin::ingress {

inline constexpr std::size_t kMaxListenersBytes = 64 * 1024;

enum class StripPrefix : std::uint8_t { kNo, kYes };

struct Route {
  std::string prefix;  // begins with "/"; ends with one only if it is "/" or ends with "//"
  Port port{};
  StripPrefix strip = StripPrefix::kYes;

  bool operator==(const Route&) const = default;
};

struct Listeners {
  std::vector<Route> routes;          // in the file's order, each prefix once
  std::vector<std::string> warnings;  // "line 4: …", printable
  std::string canonical;              // what the file should read
};

// The error's message is "line 3: invalid port ':80x' (1-65535)", printable, or
// kLimit for a text beyond kMaxListenersBytes.
[[nodiscard]] Result<Listeners> parse_listeners(std::string_view text);

// A file of these routes, in canonical form.
[[nodiscard]] std::string render_listeners(std::span<const Route> routes);

// What is wrong with `prefix` as a route's prefix, "" if nothing is.
[[nodiscard]] std::string_view prefix_fault(std::string_view prefix);

// `prefix` without its one trailing "/", unless it is "/" itself.
[[nodiscard]] std::string_view normalize_prefix(std::string_view prefix);

// What the file says when a VM starts: no route, and how to write one.
extern const std::string_view kInitialListeners;

}  // namespace gondolin::ingress
