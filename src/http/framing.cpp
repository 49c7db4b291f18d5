// Here everything that could make two parsers disagree about the end of a message
// is refused, not repaired.
#include "http/framing.hpp"

#include "base/parse_number.hpp"

namespace gondolin::http {
namespace {

constexpr std::uint64_t kMaxContentLength = INT64_MAX;

// Takes the first element off a comma-separated list; the rest is null after the last.
std::string_view take_element(std::string_view& list) {
  const std::size_t comma = list.find(',');
  const std::string_view element = trim_blanks(list.substr(0, comma));
  list = comma == std::string_view::npos ? std::string_view() : list.substr(comma + 1);
  return element;
}

}  // namespace

Checked<std::optional<std::uint64_t>> parse_content_length(const HeaderList& fields,
                                                           EqualLengths equal) {
  std::optional<std::uint64_t> length;
  for (const Field& field : fields.all(FieldName::kContentLength)) {
    std::string_view rest = field.value;
    do {
      const auto value = parse_decimal(take_element(rest));
      if (!value || *value > kMaxContentLength) {
        return reject(StatusCode::kBadRequest, "invalid Content-Length");
      }
      if (length && (*length != *value || equal == EqualLengths::kRejected)) {
        return reject(StatusCode::kBadRequest, "more than one Content-Length");
      }
      length = value;
    } while (rest.data() != nullptr);
  }
  return length;
}

// Several fields count as one list (RFC 9110 5.3), so that it makes no difference how
// a sender splits it.
Checked<TransferCoding> parse_transfer_encoding(const HeaderList& fields) {
  bool chunked = false;
  bool unknown = false;
  for (const Field& field : fields.all(FieldName::kTransferEncoding)) {
    std::string_view rest = field.value;
    do {
      const std::string_view coding = take_element(rest);
      if (!is_token(coding)) return reject(StatusCode::kBadRequest, "invalid Transfer-Encoding");
      if (chunked) return reject(StatusCode::kBadRequest, "chunked is not the last coding");
      if (iequals(coding, "chunked")) {
        chunked = true;
      } else {
        unknown = true;
      }
    } while (rest.data() != nullptr);
  }
  if (unknown) return reject(StatusCode::kNotImplemented, "unknown transfer coding");
  return chunked ? TransferCoding::kChunked : TransferCoding::kNone;
}

ConnectionOptions parse_connection(const HeaderList& fields) {
  ConnectionOptions options;
  for (const Field& field : fields.all(FieldName::kConnection)) {
    for (std::string_view option : ListElements(field.value)) {
      if (iequals(option, "close")) {
        options.close = true;
      } else if (iequals(option, "keep-alive")) {
        options.keep_alive = true;
      } else if (iequals(option, "upgrade")) {
        options.upgrade = true;
      } else {
        ++options.others;
      }
    }
  }
  return options;
}

Checked<Version> parse_version(std::string_view text) {
  constexpr std::string_view kName = "HTTP/";
  if (text.size() != kName.size() + 3 || !text.starts_with(kName) || !is_digit(text[5]) ||
      text[6] != '.' || !is_digit(text[7])) {
    return reject(StatusCode::kBadRequest, "invalid HTTP version");
  }
  if (text[5] != '1') return reject(StatusCode::kVersionNotSupported, "not HTTP/1.x");
  return text[7] == '0' ? Version::kHttp10 : Version::kHttp11;
}

}  // namespace gondolin::http
