// A route of the ingress gateway. Standard library only.
#pragma once

#include <cstdint>
#include <string>

namespace gondolin {

// One line of a listeners file.
struct IngressRoute {
  std::string prefix;        // begins with "/"
  std::uint16_t port = 0;    // 1 to 65535
  bool strip_prefix = true;  // whether the backend sees paths without the prefix

  bool operator==(const IngressRoute&) const = default;
};

}  // namespace gondolin
