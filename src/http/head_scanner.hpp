// Splits a head into its start line and field lines, one pass, resumable. It
// knows lines, names and values and their limits; what they mean is up to the
// parsers of requests and responses.
//
// Whatever pieces the bytes come in, the verdict is the same: of several faults
// the one that is complete first counts.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "http/header_list.hpp"
#include "http/limits.hpp"
#include "http/message.hpp"
#include "http/status.hpp"

namespace gondolin::http {

// Which kind of head is scanned, where the rules differ.
enum class HeadKind : std::uint8_t {
  kRequest,   // skips leading empty lines; a blank before a colon is an error
  kResponse,  // has no leading empty lines; blanks before a colon are left out
};

// How many empty lines may come before a request line.
inline constexpr std::size_t kMaxLeadingEmptyLines = 4;

class HeadScanner {
 public:
  HeadScanner(HeadKind kind, const Limits& limits);

  // Both go on where the last call stopped; `bytes` as for RequestParser::parse().
  // kComplete: the start line, or the whole head, is there. They find every fault
  // of line structure, names and values, and exceeded limits, and reject them
  // with the status for requests: 400, 414, 431. No call may follow a rejection.
  [[nodiscard]] Checked<Progress> scan_start_line(std::string_view bytes) {
    return scan_until(Stage::kFields, bytes);
  }
  [[nodiscard]] Checked<Progress> scan_head(std::string_view bytes) {
    return scan_until(Stage::kComplete, bytes);
  }

  // With the `bytes` of a call that returned kComplete, of any call behind the start line's:
  [[nodiscard]] std::string_view start_line(std::string_view bytes) const {
    return bytes.substr(start_line_begin_, start_line_end_ - start_line_begin_);
  }
  // Puts the fields that were scanned, as views of `bytes`, in place of those in `fields`.
  void fill(HeaderList& fields, std::string_view bytes) const;
  // Bytes of the head, its final empty line included.
  [[nodiscard]] std::size_t size() const { return line_begin_; }

  // Whether anything but leading empty lines was seen.
  [[nodiscard]] bool started() const { return started_; }
  [[nodiscard]] const Limits& limits() const { return limits_; }
  void reset();

 private:
  enum class Stage : std::uint8_t { kStartLine, kFields, kComplete };

  // A field as offsets, since the buffer may move while the head is incomplete.
  struct Slot {
    std::uint32_t name;
    std::uint32_t name_size;
    std::uint32_t value;
    std::uint32_t value_size;
  };

  Checked<Progress> scan_until(Stage goal, std::string_view bytes);
  // The offset of the CR that ends the current line, none if it is not there yet.
  Checked<std::optional<std::size_t>> find_line_end(std::string_view bytes);
  // The line goes on at least up to `end`.
  [[nodiscard]] Checked<void> check_limits(std::size_t end) const;
  Checked<void> take_line(std::string_view bytes, std::size_t end);
  Checked<void> take_start_line(std::size_t end);
  Checked<void> take_field(std::string_view bytes, std::size_t end);

  HeadKind kind_;
  Limits limits_;
  Stage stage_ = Stage::kStartLine;
  bool started_ = false;
  std::size_t position_ = 0;    // bytes before it were looked at
  std::size_t line_begin_ = 0;  // of the line that position_ is in
  std::size_t start_line_begin_ = 0;
  std::size_t start_line_end_ = 0;
  std::vector<Slot> slots_;
};

}  // namespace gondolin::http
