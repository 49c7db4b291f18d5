#include "ingress/route_table.hpp"

#include <algorithm>
#include <span>
#include <utility>

#include <fmt/format.h>

namespace gondolin::ingress {

namespace {

constexpr std::size_t kMostWarnings = 50;  // that the status shows
constexpr std::size_t kMostAligned = 500;  // routes whose ports stand below each other

}  // namespace

RouteTable::RouteTable(const DebugLog& log) : log_(log) {}

void RouteTable::changed() const {
  if (on_change_) on_change_();
}

void RouteTable::replace(Listeners listeners) {
  error_.reset();
  warnings_ = listeners.warnings;
  if (listeners.routes != router_->routes()) {
    router_ = std::make_shared<const Router>(std::move(listeners.routes));
    ++generation_;
  }
  if (log_.enabled(DebugTopic::kIngress)) {
    log_.line(DebugTopic::kIngress, fmt::format("routes: generation {}, {} in force", generation_,
                                                router_->routes().size()));
    for (const std::string& warning : warnings_) {
      log_.line(DebugTopic::kIngress, "routes: " + warning);
    }
  }
}

RouteTable::Outcome RouteTable::update(std::string_view text) {
  if (last_text_ == text) return {};
  Result<Listeners> parsed = parse_listeners(text);
  last_text_ = std::string(text.substr(0, kMaxListenersBytes + 1));
  Outcome outcome;
  if (parsed) {
    outcome.warnings = parsed->warnings;
    if (parsed->canonical != text) outcome.canonical = parsed->canonical;
    replace(std::move(*parsed));
  } else {
    error_ = parsed.error().message;
    warnings_.clear();
    outcome.error = error_;
    if (log_.enabled(DebugTopic::kIngress)) {
      log_.line(DebugTopic::kIngress,
                fmt::format("routes: refused, {}; generation {} stays", *error_, generation_));
    }
  }
  changed();
  return outcome;
}

RouteTable::Outcome RouteTable::remove() {
  if (!last_text_) return {};
  last_text_.reset();
  replace(Listeners{});
  changed();
  return {};
}

std::string RouteTable::status_text() const {
  std::string text = fmt::format("generation: {}\n", generation_);
  if (error_) {
    text += fmt::format("error: {}\n", *error_);
    text += "The listeners file was refused; these routes are still in force.\n";
  } else {
    text += "error: none\n";
  }
  for (const std::string& warning :
       std::span(warnings_).first(std::min(warnings_.size(), kMostWarnings)))
    text += fmt::format("warning: {}\n", warning);
  if (warnings_.size() > kMostWarnings) {
    text += fmt::format("warning: {} more like these\n", warnings_.size() - kMostWarnings);
  }
  std::string routes = describe_routes(*router_);
  text += routes.empty() ? "routes: none\n" : "routes:\n" + routes;
  return text;
}

std::string describe_routes(const Router& router) {
  std::size_t width = 0;
  if (router.routes().size() <= kMostAligned) {
    for (const Route& route : router.routes())
      width = std::max(width, route.prefix.size());
  }
  width = std::min<std::size_t>(width, 40);
  std::string text;
  for (const Route& route : router.routes()) {
    text += fmt::format("{:<{}}  :{}{}\n", printable(route.prefix), width,
                        static_cast<std::uint16_t>(route.port),
                        route.strip == StripPrefix::kNo ? "  strip_prefix=false" : "");
  }
  return text;
}

}  // namespace gondolin::ingress
