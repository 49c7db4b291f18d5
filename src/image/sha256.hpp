// SHA-256, as 64 lower-case hex digits: the name of everything in the store.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

#include "base/bytes.hpp"
#include "base/result.hpp"

namespace gondolin::image {

[[nodiscard]] std::string sha256(Bytes bytes);

// A blob of the store: what it is called and how long it is.
struct Digest {
  std::string sha256;
  std::uint64_t size = 0;

  bool operator==(const Digest&) const = default;
};

// Of the whole content of a file, read piece by piece.
[[nodiscard]] Result<Digest> digest_file(const std::filesystem::path& path);

}  // namespace gondolin::image
