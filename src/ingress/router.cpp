#include "ingress/router.hpp"

#include <algorithm>

#include "base/check.hpp"

namespace gondolin::ingress {

namespace {

// Takes the next segment off `rest`, which is what follows a path's first "/".
// The last segment leaves a `rest` whose data() is null.
std::string_view next_segment(std::string_view& rest) {
  std::size_t slash = rest.find('/');
  std::string_view segment = rest.substr(0, slash);
  rest = slash == std::string_view::npos ? std::string_view() : rest.substr(slash + 1);
  return segment;
}

}  // namespace

Router::Router(std::vector<Route> routes) : routes_(std::move(routes)), nodes_(1) {
  for (std::uint32_t i = 0; i < routes_.size(); ++i)
    insert(i);
}

void Router::insert(std::uint32_t route) {
  std::string_view prefix = routes_[route].prefix;
  std::uint32_t node = 0;
  if (prefix != "/") {
    std::string_view rest = prefix.substr(1);
    do {
      node = child_or_new(node, next_segment(rest));
    } while (rest.data() != nullptr);
  }
  GONDOLIN_CHECK(nodes_[node].route == kNone);
  nodes_[node].route = route;
}

std::uint32_t Router::child(std::uint32_t node, std::string_view segment) const {
  const std::vector<Edge>& edges = nodes_[node].edges;
  auto at = std::ranges::lower_bound(edges, segment, {}, &Edge::segment);
  return at != edges.end() && at->segment == segment ? at->node : kNone;
}

std::uint32_t Router::child_or_new(std::uint32_t node, std::string_view segment) {
  if (std::uint32_t existing = child(node, segment); existing != kNone) return existing;
  auto fresh = static_cast<std::uint32_t>(nodes_.size());
  nodes_.emplace_back();
  std::vector<Edge>& edges = nodes_[node].edges;
  auto at = std::ranges::lower_bound(edges, segment, {}, &Edge::segment);
  edges.insert(at, Edge{std::string(segment), fresh});
  return fresh;
}

const Route* Router::match(std::string_view path) const {
  if (nodes_.empty()) return nullptr;
  std::uint32_t best = nodes_[0].route;
  std::string_view rest = path.starts_with('/') ? path.substr(1) : std::string_view();
  for (std::uint32_t node = 0; rest.data() != nullptr;) {
    node = child(node, next_segment(rest));
    if (node == kNone) break;
    if (nodes_[node].route != kNone) best = nodes_[node].route;
  }
  return best == kNone ? nullptr : &routes_[best];
}

bool strips(const Route& route) {
  return route.strip == StripPrefix::kYes && route.prefix != "/";
}

std::string_view forwarded_path(const Route& route, std::string_view path) {
  if (!strips(route)) return path;
  std::string_view rest = path.substr(route.prefix.size());
  return rest.empty() ? "/" : rest;
}

}  // namespace gondolin::ingress
