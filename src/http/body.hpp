// Bodies: finding where they end, and the chunked coding (RFC 9112 6.3, 7.1).
//
// Decoding copies nothing: payload comes back as views of the bytes given.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "http/limits.hpp"
#include "http/message.hpp"
#include "http/status.hpp"

namespace gondolin::http {

// What one step of a decoder made of the bytes at hand.
struct BodyStep {
  std::size_t consumed = 0;                 // bytes that are done with, `payload` included
  std::string_view payload;                 // the last of the consumed bytes; may be empty
  Progress progress = Progress::kNeedMore;  // kComplete: the body has ended here
};

// The chunked coding, by its strict grammar: sizes of 1 to 16 hexadecimal digits below
// 2^63, extensions well-formed and bounded, CRLF everywhere, trailer fields well-formed
// and bounded. Trailers are checked and dropped: the gateway forwards none, as
// RFC 9110 6.5.1 allows.
class ChunkedDecoder {
 public:
  explicit ChunkedDecoder(const Limits& limits = {});

  // Decodes from the front of `bytes` up to the end of the first run of payload,
  // of the body, or of `bytes`, whichever comes first. The caller drops
  // `consumed` bytes and calls again while bytes are left: those after kComplete
  // belong to the next message. A Rejection (400) is final.
  [[nodiscard]] Checked<BodyStep> next(std::string_view bytes);

  [[nodiscard]] bool complete() const { return state_ == State::kComplete; }

 private:
  // Named for what the next byte belongs to.
  enum class State : std::uint8_t {
    kSizeFirst,      // the first digit of a chunk size
    kSize,           // another digit, or what ends the size
    kExtBlank,       // blanks before a ";"
    kExtNameFirst,   // blanks, then the first byte of an extension's name
    kExtName,        //
    kExtNameBlank,   // blanks between a name and "=" or ";"
    kExtValueFirst,  // blanks, then the first byte of a value
    kExtValue,       // an unquoted value
    kExtQuoted,      // inside quotes
    kExtQuotedPair,  // after a backslash inside quotes
    kExtValueEnd,    // after a closing quote
    kSizeLf,         // the LF that ends a chunk's first line
    kPayload,        //
    kPayloadCr,      // the CRLF after a chunk's payload
    kPayloadLf,      //
    kTrailerFirst,   // the first byte of a trailer line or of the last line
    kTrailerName,    //
    kTrailerValue,   //
    kTrailerLf,      // the LF that ends a trailer line
    kLastLf,         // the LF of the last line
    kComplete,
    kRejected,
  };

  Checked<void> framing_byte(char c);
  Checked<void> size_byte(char c);
  Checked<void> extension_byte(char c);
  Checked<void> trailer_byte(char c);

  Limits limits_;
  State state_ = State::kSizeFirst;
  unsigned size_digits_ = 0;
  std::uint64_t left_ = 0;            // of the chunk size so far, then of its payload
  std::size_t extension_credit_ = 0;  // bytes of extensions that may still come
  std::size_t trailer_bytes_ = 0;
  std::size_t trailer_lines_ = 0;
  Rejection rejection_{};
};

// The body of a message, however it is framed.
class BodyDecoder {
 public:
  BodyDecoder(const BodyFraming& framing, const Limits& limits = {});

  // As ChunkedDecoder::next(). With kNone and kLength 0 the body is complete()
  // from the start, and nothing is consumed.
  [[nodiscard]] Checked<BodyStep> next(std::string_view bytes);

  // The peer has sent its last byte. False when that cuts the body short; ends a
  // kUntilClose body.
  [[nodiscard]] bool end_of_stream();

  [[nodiscard]] bool complete() const;

 private:
  BodyKind kind_;
  std::uint64_t left_;   // for kLength
  bool closed_ = false;  // for kUntilClose
  ChunkedDecoder chunked_;
};

// The line that begins a chunk: "1a2b\r\n". Write it, the payload, kChunkEnd.
class ChunkHeader {
 public:
  // `payload` is the chunk's size in bytes, not 0: a chunk of none ends the body.
  explicit ChunkHeader(std::uint64_t payload);
  [[nodiscard]] std::string_view text() const {
    return {text_.data() + begin_, text_.size() - begin_};
  }

 private:
  std::array<char, 18> text_;
  std::size_t begin_;
};

inline constexpr std::string_view kChunkEnd = "\r\n";
inline constexpr std::string_view kLastChunk = "0\r\n\r\n";

}  // namespace gondolin::http
