// Writing and reading the values of control messages: little-endian integers,
// and strings as u32 length and bytes. Reading never trusts a length: what is
// not there makes the reader fail for good, which the caller asks about once, at
// the end.
#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/bytes.hpp"

namespace gondolin::wire {

class ByteWriter {
 public:
  template <std::unsigned_integral T>
  void integer(T value) {
    for (std::size_t i = 0; i < sizeof(T); ++i) {
      bytes_.push_back(static_cast<std::byte>(value >> (8 * i)));
    }
  }
  void blob(Bytes bytes) {
    integer(static_cast<std::uint32_t>(bytes.size()));
    bytes_.insert(bytes_.end(), bytes.begin(), bytes.end());
  }
  void string(std::string_view text) { blob(as_bytes(text)); }

  [[nodiscard]] std::size_t size() const { return bytes_.size(); }
  [[nodiscard]] ByteBuffer take() { return std::move(bytes_); }

 private:
  ByteBuffer bytes_;
};

class ByteReader {
 public:
  explicit ByteReader(Bytes bytes) : rest_(bytes) {}

  // 0 once the reader has failed.
  template <std::unsigned_integral T>
  [[nodiscard]] T integer() {
    Bytes bytes = take(sizeof(T));
    T value = 0;
    for (std::size_t i = 0; i < bytes.size(); ++i) {
      value = static_cast<T>(value | static_cast<T>(std::to_integer<T>(bytes[i]) << (8 * i)));
    }
    return value;
  }
  // The bytes of a string, in place; empty once the reader has failed.
  [[nodiscard]] Bytes blob() { return take(integer<std::uint32_t>()); }
  // The same as text, which must not hold NUL.
  [[nodiscard]] std::string string() {
    std::string text(as_text(blob()));
    if (text.find('\0') != std::string::npos) fail();
    return failed_ ? std::string() : text;
  }

  void fail() {
    failed_ = true;
    rest_ = {};
  }
  [[nodiscard]] bool failed() const { return failed_; }
  // Whether everything was there and nothing is left over.
  [[nodiscard]] bool complete() const { return !failed_ && rest_.empty(); }

 private:
  Bytes take(std::size_t count) {
    if (count > rest_.size()) {
      fail();
      return {};
    }
    Bytes taken = rest_.first(count);
    rest_ = rest_.subspan(count);
    return taken;
  }

  Bytes rest_;
  bool failed_ = false;
};

}  // namespace gondolin::wire
