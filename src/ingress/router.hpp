// Which route a path takes: the longest prefix that ends at a "/" of the path or
// at its end. Bytes are compared as they are.
//
// A trie of path segments: a lookup looks at each byte of the path at most once
// and stops at the first segment no prefix has, however many routes there are.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "ingress/listeners_file.hpp"

namespace gondolin::ingress {

// Immutable; may be shared and read by anyone.
class Router {
 public:
  Router() = default;  // no routes
  // `routes` must have each prefix once.
  explicit Router(std::vector<Route> routes);

  // The route for `path`, which begins with "/" or is "*" (the route of "/"), has
  // no query and no dot segments. Null if no prefix matches. Lives as long as the
  // Router.
  [[nodiscard]] const Route* match(std::string_view path) const;

  // In the order they were given in.
  [[nodiscard]] const std::vector<Route>& routes() const { return routes_; }

 private:
  static constexpr std::uint32_t kNone = UINT32_MAX;

  struct Edge {
    std::string segment;
    std::uint32_t node;
  };
  struct Node {
    std::uint32_t route = kNone;
    std::vector<Edge> edges;  // sorted by segment
  };

  void insert(std::uint32_t route);
  [[nodiscard]] std::uint32_t child(std::uint32_t node, std::string_view segment) const;
  std::uint32_t child_or_new(std::uint32_t node, std::string_view segment);

  std::vector<Route> routes_;
  std::vector<Node> nodes_;  // nodes_[0] is the prefix "/"
};

// The path the backend is asked for: `path` without the route's prefix where the
// route strips it, "/" if nothing is left. `route` must be what match() gave.
[[nodiscard]] std::string_view forwarded_path(const Route& route, std::string_view path);

// Whether forwarded_path() takes something away, which X-Forwarded-Prefix tells.
[[nodiscard]] bool strips(const Route& route);

}  // namespace gondolin::ingress
