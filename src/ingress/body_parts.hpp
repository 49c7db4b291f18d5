// The pieces of one gathered write: a head, then payload framed as the receiver's
// side of the exchange wants it.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "base/bytes.hpp"
#include "http/body.hpp"
#include "ingress/body_run.hpp"

namespace gondolin::ingress {

// Refers to what is added; must not be moved.
class BodyParts {
 public:
  BodyParts() = default;
  BodyParts(const BodyParts&) = delete;
  BodyParts& operator=(const BodyParts&) = delete;

  void head(std::string_view text) { add(text); }

  // `run`'s payload as one chunk where `framing` is chunked, and the last chunk
  // behind it when the body is complete; as it is otherwise.
  void body(const BodyRun& run, http::BodyKind framing) {
    const bool chunked = framing == http::BodyKind::kChunked;
    if (!run.payload.empty()) {
      if (chunked) add(chunk_.emplace(run.payload.size()).text());
      add(run.payload);
      if (chunked) add(http::kChunkEnd);
    }
    if (chunked && run.progress == http::Progress::kComplete) add(http::kLastChunk);
  }

  [[nodiscard]] std::span<const Bytes> get() const { return std::span(parts_).first(count_); }

  // A copy of what is behind the first `sent` bytes.
  [[nodiscard]] std::string rest(std::size_t sent) const {
    std::string rest;
    for (Bytes part : get()) {
      const std::size_t skipped = std::min(sent, part.size());
      sent -= skipped;
      rest += as_text(part.subspan(skipped));
    }
    return rest;
  }

 private:
  void add(std::string_view text) {
    if (!text.empty()) parts_[count_++] = as_bytes(text);
  }

  std::optional<http::ChunkHeader> chunk_;
  std::array<Bytes, 5> parts_;
  std::size_t count_ = 0;
};

}  // namespace gondolin::ingress
