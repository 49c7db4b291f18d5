// How much of a message the parsers accept, in bytes unless said otherwise.
#pragma once

#include <cstddef>

namespace gondolin::http {

struct Limits {
  // The request line (or status line) without its CRLF. Beyond it: 414.
  std::size_t start_line = std::size_t{16} * 1024;
  // The whole head, from its first byte to the CRLF of the empty line, so that a
  // buffer of this size always suffices to parse one. Beyond it: 431.
  std::size_t head = std::size_t{64} * 1024;
  // How many field lines a head has, and how many fields its Connection fields
  // name together. Beyond it: 431.
  std::size_t fields = 128;
  // How far the chunk extensions of a message may outweigh the payload that they
  // came with. They mean nothing to us, and a flood of them costs time for no data.
  std::size_t chunk_extensions = std::size_t{16} * 1024;
  // The trailer section of a chunked body, its empty line included; it may have
  // at most `fields` lines.
  std::size_t trailers = std::size_t{16} * 1024;
};

}  // namespace gondolin::http
