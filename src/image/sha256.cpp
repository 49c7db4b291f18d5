#include "image/sha256.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <vector>

#include <nettle/sha2.h>

#include "base/unique_fd.hpp"

namespace gondolin::image {
namespace {

constexpr std::size_t kReadSize = 1 << 20;

class Hasher {
 public:
  Hasher() { sha256_init(&context_); }

  void add(Bytes bytes) {
    sha256_update(&context_, bytes.size(), reinterpret_cast<const std::uint8_t*>(bytes.data()));
  }

  [[nodiscard]] std::string hex() {
    std::array<std::uint8_t, SHA256_DIGEST_SIZE> digest{};
    sha256_digest(&context_, digest.size(), digest.data());
    static constexpr char kDigits[] = "0123456789abcdef";
    std::string text;
    for (const std::uint8_t byte : digest) {
      text += kDigits[byte >> 4];
      text += kDigits[byte & 15];
    }
    return text;
  }

 private:
  sha256_ctx context_{};
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
