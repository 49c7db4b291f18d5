#include "vm/digest.hpp"

#include <array>

#include <fmt/format.h>
#include <openssl/evp.h>

#include "base/check.hpp"

namespace gondolin::vm {

std::string sha256(std::string_view content) {
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned length = 0;
  GONDOLIN_CHECK(EVP_Digest(content.data(), content.size(), digest.data(), &length, EVP_sha256(),
                            nullptr) == 1);
  std::string hex;
  for (unsigned i = 0; i < length; ++i)
    hex += fmt::format("{:02x}", digest[i]);
  return hex;
}

}  // namespace gondolin::vm
