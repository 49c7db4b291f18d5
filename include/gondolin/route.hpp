// Routes of the ingress gateway, and what becomes of the file they are in. Standard library
// only. Errors are ApiError.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "gondolin/export.hpp"

namespace gondolin {

// One line of a listeners file.
struct IngressRoute {
  std::string prefix;        // begins with "/"
  std::uint16_t port = 0;    // 1 to 65535
  bool strip_prefix = true;  // whether the backend sees paths without the prefix

  bool operator==(const IngressRoute&) const = default;
};

// `routes` as they are in force where they are set: prefixes without the one "/" at their
// end, each prefix once, as it comes first. kInvalidArgument for an invalid prefix or port,
// and for more than a listeners file may hold (64 KiB).
[[nodiscard]] GONDOLIN_API std::vector<IngressRoute> normalize_routes(
    const std::vector<IngressRoute>& routes);

// Why a listeners file was refused.
struct ListenersError {
  std::size_t line = 0;  // from 1; 0 where it is the file as a whole
  std::string reason;    // "invalid port ':80x' (1-65535)"; printable

  bool operator==(const ListenersError&) const = default;
};

// What a listeners file says now.
struct IngressRoutesEvent {
  std::vector<IngressRoute> routes;  // those in force
  // Set when the file was refused: it is not what is in force, the last good one is.
  std::optional<ListenersError> error;
  std::vector<std::string> warnings;  // "line 4: …", of what is in force

  bool operator==(const IngressRoutesEvent&) const = default;
};

}  // namespace gondolin
