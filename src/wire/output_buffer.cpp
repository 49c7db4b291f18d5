#include "wire/output_buffer.hpp"

#include <algorithm>
#include <cstring>

#include "base/check.hpp"

namespace gondolin::wire {

OutputBuffer::OutputBuffer(std::size_t capacity) : capacity_(capacity) {
  GONDOLIN_CHECK(capacity >= kMaxFrame);
  filling_.bytes = std::make_unique_for_overwrite<std::byte[]>(capacity);
  leaving_.bytes = std::make_unique_for_overwrite<std::byte[]>(capacity);
}

void OutputBuffer::put(FrameHeader header, Bytes payload) {
  MutableBytes place = reserve(payload.size());
  GONDOLIN_CHECK(place.size() == payload.size());
  std::ranges::copy(payload, place.begin());
  put_reserved(header, payload.size());
}

void OutputBuffer::put_encoded(Bytes frames) {
  GONDOLIN_CHECK(frames.size() <= room());
  std::ranges::copy(frames, filling_.bytes.get() + filling_.size);
  filling_.size += frames.size();
}

MutableBytes OutputBuffer::reserve(std::size_t limit) {
  if (room() <= kHeaderSize) return {filling_.bytes.get() + filling_.size, 0};
  return {filling_.bytes.get() + filling_.size + kHeaderSize,
          std::min({limit, kMaxPayload, room() - kHeaderSize})};
}

void OutputBuffer::put_reserved(FrameHeader header, std::size_t count) {
  GONDOLIN_CHECK(count <= kMaxPayload && kHeaderSize + count <= room());
  header.length = static_cast<std::uint32_t>(count);
  std::ranges::copy(encode(header), filling_.bytes.get() + filling_.size);
  filling_.size += kHeaderSize + count;
}

Bytes OutputBuffer::front() {
  if (left_ == leaving_.size) {
    leaving_.size = left_ = 0;
    std::swap(filling_, leaving_);
  }
  return {leaving_.bytes.get() + left_, leaving_.size - left_};
}

void OutputBuffer::sent(std::size_t count) {
  GONDOLIN_CHECK(count <= leaving_.size - left_);
  left_ += count;
}

}  // namespace gondolin::wire
