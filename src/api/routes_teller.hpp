// Tells a program what a listeners file says, once for each change of that.
#pragma once

#include <functional>
#include <optional>
#include <string_view>
#include <utility>

#include "gondolin/route.hpp"
#include "ingress/route_table.hpp"

namespace gondolin::api {

// Belongs to the thread of the table, which outlives it.
class RoutesTeller {
 public:
  using Sink = std::function<void(const IngressRoutesEvent&)>;

  // `sink` may be empty.
  RoutesTeller(const ingress::RouteTable& table, Sink sink)
      : table_(table), sink_(std::move(sink)) {}

  // Calls the sink unless it has been told just this.
  void tell();

 private:
  const ingress::RouteTable& table_;
  const Sink sink_;
  std::optional<IngressRoutesEvent> told_;
};

// The parts of RouteTable's "line 3: …"; without that beginning the line is 0.
[[nodiscard]] ListenersError to_listeners_error(std::string_view message);

}  // namespace gondolin::api
