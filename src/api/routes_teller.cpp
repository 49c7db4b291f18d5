#include "api/routes_teller.hpp"

#include <string>

#include "api/ingress_impl.hpp"
#include "base/parse_number.hpp"

namespace gondolin::api {

ListenersError to_listeners_error(std::string_view message) {
  constexpr std::string_view kLine = "line ";
  constexpr std::string_view kColon = ": ";
  const std::size_t end = message.find(kColon);
  if (message.starts_with(kLine) && end != std::string_view::npos) {
    auto number = parse_decimal<std::size_t>(message.substr(kLine.size(), end - kLine.size()));
    if (number) {
      return {.line = *number, .reason = std::string(message.substr(end + kColon.size()))};
    }
  }
  return {.line = 0, .reason = std::string(message)};
}

void RoutesTeller::tell() {
  if (!sink_) return;
  IngressRoutesEvent event{.routes = from_routes(table_.router()->routes()),
                           .error = std::nullopt,
                           .warnings = table_.warnings()};
  if (table_.error()) event.error = to_listeners_error(*table_.error());
  if (told_ == event) return;
  told_ = event;
  sink_(event);
}

}  // namespace gondolin::api
