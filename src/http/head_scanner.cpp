// Control bytes are what structures a head: the scan jumps from one to the next,
// so that finding the line ends and vetting the values are one pass.
#include "http/head_scanner.hpp"

#include "base/check.hpp"
#include "http/scan.hpp"

namespace gondolin::http {
namespace {

constexpr std::size_t kCrlf = 2;  // bytes

std::string_view control_reason(char c) {
  switch (c) {
    case '\n':
      return "line ends in LF without CR";
    case '\0':
      return "NUL in the head";
    default:
      return "control byte in the head";
  }
}

}  // namespace

HeadScanner::HeadScanner(HeadKind kind, const Limits& limits) : kind_(kind), limits_(limits) {
  GONDOLIN_CHECK(limits.head <= UINT32_MAX);
  slots_.reserve(limits.fields);
}

void HeadScanner::reset() {
  stage_ = Stage::kStartLine;
  started_ = false;
  position_ = line_begin_ = start_line_begin_ = start_line_end_ = 0;
  slots_.clear();
}

Checked<Progress> HeadScanner::scan_until(Stage goal, std::string_view bytes) {
  while (stage_ < goal) {
    const auto found = find_line_end(bytes);
    started_ = started_ || (bytes.size() > line_begin_ &&
                            (kind_ == HeadKind::kResponse || bytes[line_begin_] != '\r'));
    if (!found) return tl::unexpected(found.error());
    const std::optional<std::size_t> end = *found;
    if (!end) return Progress::kNeedMore;
    if (auto taken = take_line(bytes, *end); !taken) return tl::unexpected(taken.error());
    line_begin_ = position_ = *end + kCrlf;
  }
  return Progress::kComplete;
}

Checked<std::optional<std::size_t>> HeadScanner::find_line_end(std::string_view bytes) {
  position_ = find_control(bytes, position_);
  if (auto within = check_limits(position_); !within) return tl::unexpected(within.error());
  if (position_ == bytes.size()) return std::nullopt;
  if (bytes[position_] != '\r') {
    return reject(StatusCode::kBadRequest, control_reason(bytes[position_]));
  }
  if (position_ + 1 >= limits_.head) {
    return reject(StatusCode::kFieldsTooLarge, "head too long");
  }
  if (position_ + 1 == bytes.size()) return std::nullopt;
  if (bytes[position_ + 1] != '\n') return reject(StatusCode::kBadRequest, "CR without LF");
  return position_;
}

Checked<void> HeadScanner::check_limits(std::size_t end) const {
  if (stage_ == Stage::kStartLine && end - line_begin_ > limits_.start_line &&
      line_begin_ + limits_.start_line < limits_.head) {
    return reject(StatusCode::kUriTooLong, "start line too long");
  }
  if (end >= limits_.head) return reject(StatusCode::kFieldsTooLarge, "head too long");
  return {};
}

Checked<void> HeadScanner::take_line(std::string_view bytes, std::size_t end) {
  if (stage_ == Stage::kStartLine) return take_start_line(end);
  if (end != line_begin_) return take_field(bytes, end);
  stage_ = Stage::kComplete;
  return {};
}

Checked<void> HeadScanner::take_start_line(std::size_t end) {
  if (end == line_begin_) {
    if (kind_ == HeadKind::kResponse) {
      return reject(StatusCode::kBadRequest, "empty line before the status line");
    }
    if (line_begin_ / kCrlf >= kMaxLeadingEmptyLines) {
      return reject(StatusCode::kBadRequest, "too many empty lines before the request line");
    }
    return {};
  }
  start_line_begin_ = line_begin_;
  start_line_end_ = end;
  stage_ = Stage::kFields;
  return {};
}

// field-line = field-name ":" OWS field-value OWS (RFC 9112 5).
Checked<void> HeadScanner::take_field(std::string_view bytes, std::size_t end) {
  const std::string_view line = bytes.substr(line_begin_, end - line_begin_);
  if (is_blank(line.front())) return reject(StatusCode::kBadRequest, "folded field line");
  const std::size_t colon = line.find(':');
  if (colon == std::string_view::npos) {
    return reject(StatusCode::kBadRequest, "field line without a colon");
  }
  std::string_view name = line.substr(0, colon);
  if (kind_ == HeadKind::kResponse) name = trim_blanks(name);
  if (!is_token(name)) return reject(StatusCode::kBadRequest, "invalid field name");
  if (slots_.size() == limits_.fields) {
    return reject(StatusCode::kFieldsTooLarge, "too many field lines");
  }
  const std::string_view value = trim_blanks(line.substr(colon + 1));
  slots_.push_back({.name = static_cast<std::uint32_t>(line_begin_),
                    .name_size = static_cast<std::uint32_t>(name.size()),
                    .value = static_cast<std::uint32_t>(value.data() - bytes.data()),
                    .value_size = static_cast<std::uint32_t>(value.size())});
  return {};
}

void HeadScanner::fill(HeaderList& fields, std::string_view bytes) const {
  fields.clear();
  for (const Slot& slot : slots_) {
    fields.add(bytes.substr(slot.name, slot.name_size), bytes.substr(slot.value, slot.value_size));
  }
}

}  // namespace gondolin::http
