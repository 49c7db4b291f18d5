#include "wire/frame_reader.hpp"

#include <algorithm>
#include <cstring>

#include "base/check.hpp"

namespace gondolin::wire {

FrameReader::FrameReader(std::size_t capacity)
    : buffer_(std::make_unique_for_overwrite<std::byte[]>(capacity)), capacity_(capacity) {
  GONDOLIN_CHECK(capacity >= kMaxFrame);
}

MutableBytes FrameReader::space() {
  // Half a frame at the end moves to the front when the rest of a large frame
  // might not fit behind it; that is at most one frame's bytes per read.
  if (begin_ == end_) {
    begin_ = end_ = 0;
  } else if (begin_ > 0 && capacity_ - begin_ < kMaxFrame) {
    std::memmove(buffer_.get(), buffer_.get() + begin_, end_ - begin_);
    end_ -= begin_;
    begin_ = 0;
  }
  return {buffer_.get() + end_, capacity_ - end_};
}

void FrameReader::received(std::size_t count) {
  GONDOLIN_CHECK(count <= capacity_ - end_);
  end_ += count;
}

Result<std::optional<Frame>> FrameReader::next() {
  auto frame = peek();
  if (frame && *frame) skip(kHeaderSize + (*frame)->payload.size());
  return frame;
}

Result<std::optional<Frame>> FrameReader::peek() const {
  Bytes available = buffered();
  if (available.size() < kHeaderSize) return std::nullopt;
  auto header = decode_header(available.first(kHeaderSize));
  if (!header) return tl::unexpected(header.error());
  std::size_t size = kHeaderSize + header->length;
  if (available.size() < size) return std::nullopt;
  return Frame{*header, available.subspan(kHeaderSize, header->length)};
}

Bytes FrameReader::buffered() const {
  return {buffer_.get() + begin_, end_ - begin_};
}

void FrameReader::skip(std::size_t count) {
  GONDOLIN_CHECK(count <= end_ - begin_);
  begin_ += count;
}

}  // namespace gondolin::wire
