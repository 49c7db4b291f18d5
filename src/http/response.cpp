// As request.cpp, with every fault turned into 502: the client is not to blame.
#include "http/response.hpp"

#include "base/check.hpp"
#include "http/framing.hpp"

namespace gondolin::http {
namespace {

tl::unexpected<Rejection> bad_gateway(std::string_view reason) {
  return reject(StatusCode::kBadGateway, reason);
}

// Answers without a body, whatever their fields say (RFC 9112 6.3, rules 1 and 2).
bool is_bodyless(ResponseTo request, StatusCode status) {
  return request == ResponseTo::kHead || to_number(status) < 200 ||
         status == StatusCode::kNoContent || status == StatusCode::kNotModified;
}

}  // namespace

ResponseParser::ResponseParser(ResponseTo request, const Limits& limits)
    : scanner_(HeadKind::kResponse, limits), request_(request) {}

Checked<Progress> ResponseParser::parse(std::string_view bytes) {
  if (rejection_) return tl::unexpected(*rejection_);
  auto progress = advance(bytes);
  if (progress) {
    progress_ = *progress;
    return progress;
  }
  rejection_ = Rejection{StatusCode::kBadGateway, progress.error().reason};
  return tl::unexpected(*rejection_);
}

Checked<Progress> ResponseParser::advance(std::string_view bytes) {
  if (progress_ == Progress::kComplete) return progress_;
  if (status_line_at_ == nullptr) {
    const auto line = scanner_.scan_start_line(bytes);
    if (!line || *line == Progress::kNeedMore) return line;
    if (auto taken = take_status_line(bytes); !taken) return tl::unexpected(taken.error());
  }
  const auto fields = scanner_.scan_head(bytes);
  if (!fields || *fields == Progress::kNeedMore) return fields;
  if (auto finished = finish(bytes); !finished) return tl::unexpected(finished.error());
  return Progress::kComplete;
}

// status-line = HTTP-version SP status-code SP [ reason-phrase ] (RFC 9112 4), the
// second space optional.
Checked<void> ResponseParser::take_status_line(std::string_view bytes) {
  const std::string_view line = scanner_.start_line(bytes);
  const auto version = parse_version(line.substr(0, line.find(' ')));
  if (!version) return tl::unexpected(version.error());
  const std::string_view rest = line.substr(std::string_view("HTTP/1.1").size());
  const bool has_code = rest.size() >= 4 && is_digit(rest[1]) && is_digit(rest[2]) &&
                        is_digit(rest[3]) && rest[1] != '0';
  if (!has_code) return bad_gateway("invalid status code");
  if (rest.size() > 4 && rest[4] != ' ') return bad_gateway("invalid status line");
  const int code = (rest[1] - '0') * 100 + (rest[2] - '0') * 10 + (rest[3] - '0');
  head_.version = *version;
  head_.status = static_cast<StatusCode>(code);
  head_.reason = rest.size() > 5 ? rest.substr(5) : std::string_view();
  status_line_at_ = bytes.data();
  return {};
}

Checked<void> ResponseParser::finish(std::string_view bytes) {
  if (status_line_at_ != bytes.data()) {
    if (auto taken = take_status_line(bytes); !taken) return taken;
  }
  scanner_.fill(head_.fields, bytes);
  head_.size = scanner_.size();
  if (parse_connection(head_.fields).others > scanner_.limits().fields) {
    return bad_gateway("Connection names too many fields");
  }
  return take_framing();
}

// RFC 9112 6.1, 6.3.
Checked<void> ResponseParser::take_framing() {
  head_.body = {};
  head_.content_length.reset();
  if (to_number(head_.status) < 200 || head_.status == StatusCode::kNoContent) return {};
  const auto length = parse_content_length(head_.fields, EqualLengths::kMerged);
  if (!length) return tl::unexpected(length.error());
  head_.content_length = *length;
  if (is_bodyless(request_, head_.status)) return {};

  if (head_.fields.find(FieldName::kTransferEncoding) != nullptr) {
    if (*length) return bad_gateway("both Transfer-Encoding and Content-Length");
    if (head_.version == Version::kHttp10) return bad_gateway("Transfer-Encoding in HTTP/1.0");
    const auto coding = parse_transfer_encoding(head_.fields);
    if (!coding) return tl::unexpected(coding.error());
    head_.body = {.kind = BodyKind::kChunked};
  } else if (*length) {
    head_.body = {.kind = BodyKind::kLength, .length = **length};
  } else {
    head_.body = {.kind = BodyKind::kUntilClose};
  }
  return {};
}

const ResponseHead& ResponseParser::head() const {
  GONDOLIN_CHECK(progress_ == Progress::kComplete);
  return head_;
}

bool ResponseParser::started() const {
  return scanner_.started();
}

void ResponseParser::reset(ResponseTo request) {
  scanner_.reset();
  request_ = request;
  progress_ = Progress::kNeedMore;
  status_line_at_ = nullptr;
  rejection_.reset();
}

}  // namespace gondolin::http
