// fuzz: http
// The chunked coding: the pieces that the bytes come in do not matter, and the
// payload of an accepted body, encoded anew, decodes to itself.
#include <cstdint>

#include "../tests/unit/http/outcome.hpp"
#include "base/check.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace gondolin::http;
  if (size == 0) return 0;
  const std::size_t step = 1 + data[0] % 16;
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  const Limits limits =
      data[0] < 64 ? Limits{.fields = 2, .chunk_extensions = 8, .trailers = 24} : Limits{};
  const BodyFraming framing{BodyKind::kChunked, 0};
  const std::string whole = testing::body_outcome(bytes, framing, testing::kWhole, limits);
  GONDOLIN_CHECK(testing::body_outcome(bytes, framing, 1, limits) == whole);
  GONDOLIN_CHECK(testing::body_outcome(bytes, framing, step, limits) == whole);

  const std::size_t verdict = whole.rfind("|complete, left ");
  if (verdict == std::string::npos || verdict == 0) return 0;
  const std::string payload = whole.substr(0, verdict);
  const std::string encoded = std::string(ChunkHeader(payload.size()).text()) + payload +
                              std::string(kChunkEnd) + std::string(kLastChunk);
  GONDOLIN_CHECK(testing::body_outcome(encoded, framing) == payload + "|complete, left 0");
  return 0;
}
