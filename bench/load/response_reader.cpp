#include "load/response_reader.hpp"

#include <algorithm>
#include <charconv>

#include "base/parse_number.hpp"
#include "common/sockets.hpp"

namespace gondolin::bench {

void ResponseReader::reset(int expected_status) {
  expected_status_ = expected_status;
  head_.clear();
  line_.clear();
  in_body_ = false;
  chunk_ = Chunk::kSize;
}

ResponseReader::State ResponseReader::take(std::string_view bytes) {
  return in_body_ ? take_body(bytes) : take_head(bytes);
}

ResponseReader::State ResponseReader::take_head(std::string_view bytes) {
  head_.append(bytes);
  const std::size_t end = head_.find("\r\n\r\n");
  if (end == std::string::npos) return State::kMore;
  rest_ = head_.substr(end + 4);
  head_.resize(end + 2);
  const auto status = parse_decimal<unsigned>(std::string_view(head_).substr(9, 3));
  const bool old = head_.starts_with("HTTP/1.0 ");
  if ((!old && !head_.starts_with("HTTP/1.1 ")) ||
      status != static_cast<unsigned>(expected_status_)) {
    return State::kFailed;
  }
  if (expected_status_ == 101) return State::kComplete;
  keeps_alive_ = !old && !has_field(head_, "Connection", "close");
  chunked_ = has_field(head_, "Transfer-Encoding", "chunked");
  const std::int64_t length = field_number(head_, "Content-Length");
  if (!chunked_ && length < 0) return State::kFailed;
  left_ = chunked_ ? 0 : static_cast<std::uint64_t>(length);
  in_body_ = true;
  return take_body(rest_);
}

ResponseReader::State ResponseReader::take_body(std::string_view bytes) {
  if (chunked_) return take_chunks(bytes);
  if (bytes.size() > left_) return State::kFailed;
  left_ -= bytes.size();
  return left_ == 0 ? State::kComplete : State::kMore;
}

ResponseReader::State ResponseReader::take_chunks(std::string_view bytes) {
  while (!bytes.empty()) {
    if (chunk_ == Chunk::kData) {
      const auto n = static_cast<std::size_t>(std::min<std::uint64_t>(left_, bytes.size()));
      bytes.remove_prefix(n);
      left_ -= n;
      if (left_ == 0) chunk_ = Chunk::kDataEnd;
      continue;
    }
    const std::size_t end = bytes.find('\n');
    line_.append(bytes.substr(0, end));
    if (end == std::string_view::npos) return State::kMore;
    bytes.remove_prefix(end + 1);
    switch (chunk_) {
      case Chunk::kSize: {
        left_ = 0;
        std::from_chars(line_.data(), line_.data() + line_.size(), left_, 16);
        chunk_ = left_ > 0 ? Chunk::kData : Chunk::kTrailer;
        break;
      }
      case Chunk::kTrailer:
        if (line_ == "\r") return bytes.empty() ? State::kComplete : State::kFailed;
        break;
      case Chunk::kData:
      case Chunk::kDataEnd:
        chunk_ = Chunk::kSize;
        break;
    }
    line_.clear();
  }
  return State::kMore;
}

}  // namespace gondolin::bench
