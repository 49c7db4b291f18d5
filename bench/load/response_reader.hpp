// How far a response has come: its head, then its body by Content-Length or chunks.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace gondolin::bench {

class ResponseReader {
 public:
  enum class State : std::uint8_t { kMore, kComplete, kFailed };

  // Takes the bytes that came. kFailed for a status other than `expected`, or a
  // message that cannot be followed; bytes behind a complete response are a failure,
  // except behind a 101, where rest() has them.
  [[nodiscard]] State take(std::string_view bytes);
  void reset(int expected_status);

  // After kComplete: whether the server keeps the connection.
  [[nodiscard]] bool keeps_alive() const { return keeps_alive_; }
  [[nodiscard]] std::string_view rest() const { return rest_; }
  // After kFailed: the head, for the message.
  [[nodiscard]] const std::string& head() const { return head_; }

 private:
  State take_head(std::string_view bytes);
  State take_body(std::string_view bytes);
  State take_chunks(std::string_view bytes);

  enum class Chunk : std::uint8_t { kSize, kData, kDataEnd, kTrailer };

  std::string head_;
  std::string line_;  // a chunk-size or trailer line
  std::string rest_;
  int expected_status_ = 200;
  bool in_body_ = false;
  bool chunked_ = false;
  bool keeps_alive_ = true;
  Chunk chunk_ = Chunk::kSize;
  std::uint64_t left_ = 0;  // of the body, or of the chunk
};

}  // namespace gondolin::bench
