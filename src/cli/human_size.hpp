// Sizes as tables show them.
#pragma once

#include <cstdint>
#include <string>

#include <fmt/format.h>

namespace gondolin::cli {

// "12.3 MiB", "1.4 GiB".
[[nodiscard]] inline std::string human_size(std::uint64_t bytes) {
  const auto mebibytes = static_cast<double>(bytes) / (1 << 20);
  return mebibytes >= 1024 ? fmt::format("{:.1f} GiB", mebibytes / 1024)
                           : fmt::format("{:.1f} MiB", mebibytes);
}

}  // namespace gondolin::cli
