#include "vm/digest.hpp"

#include <array>
#include <cstdint>

#include <fmt/format.h>
#include <nettle/sha2.h>

namespace gondolin::vm {

std::string sha256(std::string_view content) {
  sha256_ctx context{};
  sha256_init(&context);
  sha256_update(&context, content.size(), reinterpret_cast<const std::uint8_t*>(content.data()));
  std::array<std::uint8_t, SHA256_DIGEST_SIZE> digest{};
  sha256_digest(&context, digest.size(), digest.data());
  std::string hex;
  for (std::uint8_t byte : digest)
    hex += fmt::format("{:02x}", byte);
  return hex;
}

}  // namespace gondolin::vm
