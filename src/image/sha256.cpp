#include "image/sha256.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <memory>
#include <vector>

#include <openssl/evp.h>

#include "base/check.hpp"
#include "base/unique_fd.hpp"

namespace gondolin::image {
namespace {

constexpr std::size_t kReadSize = 1 << 20;

class Hasher {
 public:
  Hasher() : context_(EVP_MD_CTX_new(), EVP_MD_CTX_free) {
    GONDOLIN_CHECK(context_ != nullptr);
    GONDOLIN_CHECK(EVP_DigestInit_ex(context_.get(), EVP_sha256(), nullptr) == 1);
  }

  void add(Bytes bytes) {
    GONDOLIN_CHECK(EVP_DigestUpdate(context_.get(), bytes.data(), bytes.size()) == 1);
  }

  [[nodiscard]] std::string hex() {
    std::array<unsigned char, 32> digest{};
    GONDOLIN_CHECK(EVP_DigestFinal_ex(context_.get(), digest.data(), nullptr) == 1);
    static constexpr char kDigits[] = "0123456789abcdef";
    std::string text;
    for (const unsigned char byte : digest) {
      text += kDigits[byte >> 4];
      text += kDigits[byte & 15];
    }
    return text;
  }

 private:
  std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> context_;
};

}  // namespace

std::string sha256(Bytes bytes) {
  Hasher hasher;
  hasher.add(bytes);
  return hasher.hex();
}

Result<Digest> digest_file(const std::filesystem::path& path) {
  UniqueFd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file.valid()) return fail_errno(path.string(), errno);
  Hasher hasher;
  std::uint64_t size = 0;
  std::vector<std::byte> buffer(kReadSize);
  for (;;) {
    const ssize_t count = ::read(file.get(), buffer.data(), buffer.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return fail_errno(path.string(), errno);
    if (count == 0) return Digest{hasher.hex(), size};
    hasher.add(Bytes(buffer).first(static_cast<std::size_t>(count)));
    size += static_cast<std::uint64_t>(count);
  }
}

}  // namespace gondolin::image
