// fuzz: wire
// Bytes of a port, cut into pieces the input chooses: the reader must find the same
// frames, and the same error, however they are cut.
#include <algorithm>
#include <cstdint>
#include <string>
#include <vector>

#include "base/check.hpp"
#include "wire/frame_reader.hpp"

namespace {

using namespace gondolin;

// What the reader made of the bytes: each frame encoded again, then the error.
std::string read_in_pieces(Bytes bytes, std::size_t piece) {
  wire::FrameReader reader;
  std::string found;
  while (true) {
    auto frame = reader.next();
    if (!frame) return found + "!" + frame.error().message;
    if (*frame) {
      found += as_text(wire::encode((*frame)->header));
      found += as_text((*frame)->payload);
      continue;
    }
    MutableBytes space = reader.space();
    std::size_t count = std::min({piece, space.size(), bytes.size()});
    if (count == 0) return found;
    std::copy_n(bytes.begin(), count, space.begin());
    reader.received(count);
    bytes = bytes.subspan(count);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  Bytes bytes = std::as_bytes(std::span(data, size));
  std::size_t piece = data[0] + std::size_t{1};
  bytes = bytes.subspan(1);
  std::string whole = read_in_pieces(bytes, SIZE_MAX);
  GONDOLIN_CHECK(read_in_pieces(bytes, piece) == whole);
  // What was read is what was sent, as far as it was read.
  std::string_view frames = std::string_view(whole).substr(0, whole.find('!'));
  GONDOLIN_CHECK(as_text(bytes).starts_with(frames));
  return 0;
}
