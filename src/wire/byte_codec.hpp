// Writing and reading the values of messages: little-endian integers, choices as one
// byte, strings as u32 length and bytes, lists as u32 count and elements. Reading never
// trusts a length: what is not there makes the reader fail for good, which the caller asks
// about once, at the end.
#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/bytes.hpp"
#include "wire/frame.hpp"
#include "wire/message_cutter.hpp"

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
  // Of an enum in one byte, a tag too.
  template <typename Enum>
  void choice(Enum value) {
    integer(static_cast<std::uint8_t>(value));
  }
  template <typename List, typename WriteElement>
  void list(const List& elements, WriteElement write_element) {
    integer(static_cast<std::uint32_t>(elements.size()));
    for (const auto& element : elements)
      write_element(element);
  }

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
  // A value of an enum whose values are 1 to `last`; what is none fails.
  template <typename Enum>
  [[nodiscard]] Enum choice(Enum last) {
    const auto value = integer<std::uint8_t>();
    if (value == 0 || value > static_cast<std::uint8_t>(last)) fail();
    return static_cast<Enum>(value);
  }
  // Reads as many elements as announced; ends early, failed, when they are not there.
  template <typename ReadElement>
  [[nodiscard]] auto list(ReadElement read_element) {
    std::vector<decltype(read_element())> elements;
    const auto count = integer<std::uint32_t>();
    for (std::uint32_t i = 0; i < count && !failed_; ++i)
      elements.push_back(read_element());
    return elements;
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

// A message as a MessageCutter cuts it out of a stream: its length, and what `write` writes.
template <typename Write>
[[nodiscard]] ByteBuffer with_length(Write write) {
  ByteWriter writer;
  writer.integer(std::uint32_t{0});
  write(writer);
  const std::size_t length = writer.size() - kLengthSize;
  ByteBuffer bytes = writer.take();
  store_u32(bytes, static_cast<std::uint32_t>(length));
  return bytes;
}

// The next message, when all of it is there; `malformed` is the error unless `read` finds
// what it must.
template <typename Read>
[[nodiscard]] auto next_message(MessageCutter& cutter, const char* malformed, Read read)
    -> Result<std::optional<decltype(read(std::declval<ByteReader&>()))>> {
  auto whole = cutter.whole();
  if (!whole) return std::nullopt;
  ByteReader reader(*whole);
  auto message = read(reader);
  if (!reader.complete()) return fail(ErrorCode::kProtocol, malformed);
  cutter.drop();
  return message;
}

}  // namespace gondolin::wire
