// The chunked coding is a machine over single bytes for what frames the payload
// and a step over whole runs for the payload itself, so that pieces of any size
// give the same result and nothing is buffered.
#include "http/body.hpp"

#include <algorithm>

#include "base/check.hpp"
#include "http/chars.hpp"

namespace gondolin::http {
namespace {

// Sixteen digits fit 64 bits, and there are no endless zeros.
constexpr unsigned kMaxSizeDigits = 16;
// Larger sizes are no data but an attempt at someone's signed integers.
constexpr std::uint64_t kMaxChunkSize = INT64_MAX;

tl::unexpected<Rejection> bad_chunk(std::string_view reason) {
  return reject(StatusCode::kBadRequest, reason);
}

}  // namespace

ChunkedDecoder::ChunkedDecoder(const Limits& limits)
    : limits_(limits), extension_credit_(limits.chunk_extensions) {}

Checked<BodyStep> ChunkedDecoder::next(std::string_view bytes) {
  BodyStep step;
  while (step.consumed < bytes.size() && state_ < State::kComplete) {
    if (state_ == State::kPayload) {
      const auto size =
          static_cast<std::size_t>(std::min<std::uint64_t>(left_, bytes.size() - step.consumed));
      step.payload = bytes.substr(step.consumed, size);
      step.consumed += size;
      left_ -= size;
      extension_credit_ += std::min(size, limits_.chunk_extensions - extension_credit_);
      if (left_ == 0) state_ = State::kPayloadCr;
      return step;
    }
    if (auto taken = framing_byte(bytes[step.consumed]); !taken) {
      state_ = State::kRejected;
      rejection_ = taken.error();
    }
    ++step.consumed;
  }
  if (state_ == State::kRejected) return tl::unexpected(rejection_);
  if (state_ == State::kComplete) step.progress = Progress::kComplete;
  return step;
}

Checked<void> ChunkedDecoder::framing_byte(char c) {
  if (state_ <= State::kSize) return size_byte(c);
  if (state_ <= State::kExtValueEnd) return extension_byte(c);
  if (state_ >= State::kTrailerFirst) return trailer_byte(c);
  switch (state_) {
    case State::kSizeLf:
      if (c != '\n') return bad_chunk("CR without LF after a chunk size");
      state_ = left_ == 0 ? State::kTrailerFirst : State::kPayload;
      size_digits_ = 0;
      return {};
    case State::kPayloadCr:
      if (c != '\r') return bad_chunk("no CRLF after the payload of a chunk");
      state_ = State::kPayloadLf;
      return {};
    default:
      if (c != '\n') return bad_chunk("no CRLF after the payload of a chunk");
      state_ = State::kSizeFirst;
      return {};
  }
}

// chunk-size = 1*HEXDIG (RFC 9112 7.1).
Checked<void> ChunkedDecoder::size_byte(char c) {
  if (is_hex_digit(c)) {
    if (size_digits_ == kMaxSizeDigits) return bad_chunk("chunk size too long");
    left_ = left_ * 16 + hex_value(c);
    if (left_ > kMaxChunkSize) return bad_chunk("chunk size too large");
    ++size_digits_;
    state_ = State::kSize;
    return {};
  }
  if (state_ == State::kSizeFirst) return bad_chunk("invalid chunk size");
  if (c == '\r') {
    state_ = State::kSizeLf;
    return {};
  }
  state_ = State::kExtBlank;
  return extension_byte(c);
}

// chunk-ext = *( BWS ";" BWS name [ BWS "=" BWS ( token / quoted-string ) ] )
// (RFC 9112 7.1.1).
Checked<void> ChunkedDecoder::extension_byte(char c) {
  if (extension_credit_ == 0) return bad_chunk("chunk extensions too long");
  --extension_credit_;
  const bool ends_extension = c == ';' || c == '\r';
  const State after_end = c == ';' ? State::kExtNameFirst : State::kSizeLf;
  switch (state_) {
    case State::kExtBlank:
      if (is_blank(c)) return {};
      if (c != ';') return bad_chunk("invalid byte after a chunk size");
      state_ = State::kExtNameFirst;
      return {};
    case State::kExtNameFirst:
      if (is_blank(c)) return {};
      if (!is_token_char(c)) return bad_chunk("invalid name of a chunk extension");
      state_ = State::kExtName;
      return {};
    case State::kExtName:
      if (is_token_char(c)) return {};
      if (ends_extension) {
        state_ = after_end;
        return {};
      }
      [[fallthrough]];
    case State::kExtNameBlank:
      if (c == '=') {
        state_ = State::kExtValueFirst;
      } else if (c == ';') {
        state_ = State::kExtNameFirst;
      } else if (is_blank(c)) {
        state_ = State::kExtNameBlank;
      } else {
        return bad_chunk("invalid chunk extension");
      }
      return {};
    case State::kExtValueFirst:
      if (is_blank(c)) return {};
      if (c != '"' && !is_token_char(c)) return bad_chunk("invalid value of a chunk extension");
      state_ = c == '"' ? State::kExtQuoted : State::kExtValue;
      return {};
    case State::kExtQuoted:
      if (!is_field_byte(c)) return bad_chunk("control byte in a chunk extension");
      if (c == '"') state_ = State::kExtValueEnd;
      if (c == '\\') state_ = State::kExtQuotedPair;
      return {};
    case State::kExtQuotedPair:
      if (!is_field_byte(c)) return bad_chunk("control byte in a chunk extension");
      state_ = State::kExtQuoted;
      return {};
    case State::kExtValue:
      if (is_token_char(c)) return {};
      [[fallthrough]];
    default:
      if (!ends_extension && !is_blank(c)) return bad_chunk("invalid chunk extension");
      state_ = ends_extension ? after_end : State::kExtBlank;
      return {};
  }
}

// trailer-section = *( field-line CRLF ), then the empty line (RFC 9112 7.1.2).
Checked<void> ChunkedDecoder::trailer_byte(char c) {
  if (++trailer_bytes_ > limits_.trailers) return bad_chunk("trailer section too long");
  switch (state_) {
    case State::kTrailerFirst:
      if (c == '\r') {
        state_ = State::kLastLf;
        return {};
      }
      if (++trailer_lines_ > limits_.fields) return bad_chunk("too many trailer lines");
      if (!is_token_char(c)) return bad_chunk("invalid trailer line");
      state_ = State::kTrailerName;
      return {};
    case State::kTrailerName:
      if (c != ':' && !is_token_char(c)) return bad_chunk("invalid name of a trailer field");
      if (c == ':') state_ = State::kTrailerValue;
      return {};
    case State::kTrailerValue:
      if (c != '\r' && !is_field_byte(c)) return bad_chunk("control byte in a trailer field");
      if (c == '\r') state_ = State::kTrailerLf;
      return {};
    default:
      if (c != '\n') return bad_chunk("CR without LF in the trailer section");
      state_ = state_ == State::kTrailerLf ? State::kTrailerFirst : State::kComplete;
      return {};
  }
}

BodyDecoder::BodyDecoder(const BodyFraming& framing, const Limits& limits)
    : kind_(framing.kind), left_(framing.length), chunked_(limits) {}

Checked<BodyStep> BodyDecoder::next(std::string_view bytes) {
  if (kind_ == BodyKind::kChunked) return chunked_.next(bytes);
  std::size_t size = 0;
  if (kind_ == BodyKind::kLength) {
    size = static_cast<std::size_t>(std::min<std::uint64_t>(left_, bytes.size()));
    left_ -= size;
  } else if (kind_ == BodyKind::kUntilClose && !closed_) {
    size = bytes.size();
  }
  return BodyStep{.consumed = size,
                  .payload = bytes.substr(0, size),
                  .progress = complete() ? Progress::kComplete : Progress::kNeedMore};
}

bool BodyDecoder::end_of_stream() {
  closed_ = true;
  return complete();
}

bool BodyDecoder::complete() const {
  switch (kind_) {
    case BodyKind::kNone:
      return true;
    case BodyKind::kLength:
      return left_ == 0;
    case BodyKind::kChunked:
      return chunked_.complete();
    case BodyKind::kUntilClose:
      break;
  }
  return closed_;
}

ChunkHeader::ChunkHeader(std::uint64_t payload) : begin_(text_.size()) {
  GONDOLIN_CHECK(payload != 0);
  text_[--begin_] = '\n';
  text_[--begin_] = '\r';
  for (; payload != 0; payload /= 16)
    text_[--begin_] = "0123456789abcdef"[payload % 16];
}

}  // namespace gondolin::http
