#include "image/kernel.hpp"

#include <lz4.h>

#include <cstdint>
#include <optional>
#include <vector>

namespace gondolin::image {
namespace {

// Documentation/x86/boot.rst of Linux
constexpr std::size_t kSetupSectors = 0x1f1;
constexpr std::size_t kHeaderMagic = 0x202;
constexpr std::size_t kBootProtocol = 0x206;
constexpr std::size_t kPayloadOffset = 0x248;
constexpr std::size_t kPayloadLength = 0x24c;
constexpr std::size_t kHeaderEnd = 0x250;
constexpr std::size_t kSector = 512;

// The "legacy" LZ4 frame that Linux uses: the magic, then blocks of at most 8 MiB,
// each behind its compressed length; then the length of all of it unpacked.
constexpr std::uint32_t kLz4Magic = 0x184c2102;
constexpr std::size_t kLz4Block = 8 << 20;
constexpr std::size_t kLargestKernel = 512 << 20;

constexpr std::string_view kElfMagic(
    "\x7f"
    "ELF",
    4);

// `Size` bytes at `offset`, little-endian.
template <std::size_t Size>
std::optional<std::uint32_t> read_number(std::string_view data, std::size_t offset) {
  if (offset > data.size() || data.size() - offset < Size) return std::nullopt;
  std::uint32_t value = 0;
  for (std::size_t i = Size; i-- > 0;)
    value = value << 8 | static_cast<unsigned char>(data[offset + i]);
  return value;
}

std::optional<std::string_view> payload_of(std::string_view image) {
  if (image.size() < kHeaderEnd || image.substr(kHeaderMagic, 4) != "HdrS") return std::nullopt;
  if (read_number<2>(image, kBootProtocol) < 0x208U) return std::nullopt;
  const std::size_t sectors = static_cast<unsigned char>(image[kSetupSectors]);
  const std::size_t start =
      ((sectors == 0 ? 4 : sectors) + 1) * kSector + *read_number<4>(image, kPayloadOffset);
  const std::size_t length = *read_number<4>(image, kPayloadLength);
  if (start > image.size() || image.size() - start < length) return std::nullopt;
  return image.substr(start, length);
}

std::optional<std::string> unpack_lz4(std::string_view payload) {
  const auto unpacked_size =
      payload.size() < 8 ? std::nullopt : read_number<4>(payload, payload.size() - 4);
  if (!unpacked_size || *unpacked_size > kLargestKernel) return std::nullopt;
  if (read_number<4>(payload, 0) != kLz4Magic) return std::nullopt;
  payload = payload.substr(4, payload.size() - 8);

  std::string unpacked;
  unpacked.reserve(*unpacked_size);
  std::vector<char> block(kLz4Block);
  while (!payload.empty()) {
    const auto length = read_number<4>(payload, 0);
    if (!length || *length > payload.size() - 4) return std::nullopt;
    const int count = LZ4_decompress_safe(payload.data() + 4, block.data(),
                                          static_cast<int>(*length), static_cast<int>(kLz4Block));
    if (count < 0) return std::nullopt;
    unpacked.append(block.data(), static_cast<std::size_t>(count));
    payload.remove_prefix(4 + *length);
  }
  if (unpacked.size() != *unpacked_size) return std::nullopt;
  return unpacked;
}

}  // namespace

Result<std::string> unpack_kernel(std::string_view bz_image) {
  const auto payload = payload_of(bz_image);
  if (!payload) return fail(ErrorCode::kUnavailable, "not a bzImage of boot protocol 2.08");
  auto kernel = unpack_lz4(*payload);
  if (!kernel || !kernel->starts_with(kElfMagic))
    return fail(ErrorCode::kUnavailable, "the kernel is not an ELF image packed with LZ4");
  return std::move(*kernel);
}

std::string_view without_signature(std::string_view module) {
  // The module; the signature; a struct module_signature of twelve bytes, the last
  // four of them the big-endian length of the signature; the marker.
  constexpr std::string_view kMarker = "~Module signature appended~\n";
  constexpr std::size_t kTrailer = 12;
  if (!module.ends_with(kMarker)) return module;
  std::string_view rest = module.substr(0, module.size() - kMarker.size());
  if (rest.size() < kTrailer) return module;
  std::size_t length = 0;
  for (const char byte : rest.substr(rest.size() - 4))
    length = length << 8 | static_cast<unsigned char>(byte);
  rest.remove_suffix(kTrailer);
  if (length > rest.size()) return module;
  return rest.substr(0, rest.size() - length);
}

}  // namespace gondolin::image
