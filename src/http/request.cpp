// The request line is judged as soon as it is there, so that HTTP/0.9 and TLS get
// their answer at once; the fields when the head is complete.
#include "http/request.hpp"

#include "base/check.hpp"
#include "http/authority.hpp"
#include "http/framing.hpp"

namespace gondolin::http {
namespace {

constexpr std::string_view kScheme = "http://";

tl::unexpected<Rejection> bad_request(std::string_view reason) {
  return reject(StatusCode::kBadRequest, reason);
}

// Splits path and query at the first "?".
void split_path(RequestTarget& target, std::string_view path_and_query) {
  const std::size_t question = path_and_query.find('?');
  target.path = path_and_query.substr(0, question);
  target.query =
      question == std::string_view::npos ? std::string_view() : path_and_query.substr(question);
}

Checked<RequestTarget> parse_absolute(std::string_view method, std::string_view text) {
  RequestTarget target;
  target.form = TargetForm::kAbsolute;
  target.text = text;
  const std::string_view rest = text.substr(kScheme.size());
  target.authority = rest.substr(0, rest.find_first_of("/?"));
  if (!parse_authority(target.authority)) return bad_request("invalid authority in the target");
  const std::string_view path_and_query = rest.substr(target.authority.size());
  split_path(target, path_and_query);
  if (target.path.empty()) {
    target.path = method == "OPTIONS" && path_and_query.empty() ? "*" : "/";
  }
  return target;
}

Checked<RequestTarget> parse_target(std::string_view method, std::string_view text) {
  RequestTarget target;
  target.text = text;
  if (method == "CONNECT") {
    const auto authority = parse_authority(text);
    if (!authority || !authority->port) return bad_request("CONNECT without host:port");
    target.form = TargetForm::kAuthority;
    target.authority = text;
    return target;
  }
  if (text.front() == '/') {
    split_path(target, text);
    return target;
  }
  if (text == "*") {
    if (method != "OPTIONS") return bad_request("target * without OPTIONS");
    target.form = TargetForm::kAsterisk;
    target.path = text;
    return target;
  }
  if (text.size() > kScheme.size() && iequals(text.substr(0, kScheme.size()), kScheme)) {
    return parse_absolute(method, text);
  }
  return bad_request("target is neither a path nor an http URI");
}

}  // namespace

RequestParser::RequestParser(const Limits& limits) : scanner_(HeadKind::kRequest, limits) {}

Checked<Progress> RequestParser::parse(std::string_view bytes) {
  if (rejection_) return tl::unexpected(*rejection_);
  auto progress = advance(bytes);
  if (progress) {
    progress_ = *progress;
  } else {
    rejection_ = progress.error();
  }
  return progress;
}

Checked<Progress> RequestParser::advance(std::string_view bytes) {
  if (progress_ == Progress::kComplete) return progress_;
  if (request_line_at_ == nullptr) {
    const auto line = scanner_.scan_start_line(bytes);
    if (!line || *line == Progress::kNeedMore) return line;
    if (auto taken = take_request_line(bytes); !taken) return tl::unexpected(taken.error());
  }
  const auto fields = scanner_.scan_head(bytes);
  if (!fields || *fields == Progress::kNeedMore) return fields;
  if (auto finished = finish(bytes); !finished) return tl::unexpected(finished.error());
  return Progress::kComplete;
}

// request-line = method SP request-target SP HTTP-version (RFC 9112 3).
Checked<void> RequestParser::take_request_line(std::string_view bytes) {
  const std::string_view line = scanner_.start_line(bytes);
  const std::size_t method_end = line.find(' ');
  const std::string_view method = line.substr(0, method_end);
  if (!is_token(method)) return bad_request("invalid method");
  const std::string_view rest =
      method_end == std::string_view::npos ? std::string_view() : line.substr(method_end + 1);
  const std::size_t target_end = rest.find(' ');
  if (target_end == std::string_view::npos) return bad_request("request line without a version");
  const std::string_view text = rest.substr(0, target_end);
  if (text.empty() || !detail::all_of_class(text, detail::kTargetByte)) {
    return bad_request("invalid request target");
  }
  const auto version = parse_version(rest.substr(target_end + 1));
  if (!version) return tl::unexpected(version.error());
  const auto target = parse_target(method, text);
  if (!target) return tl::unexpected(target.error());
  head_.method = method;
  head_.target = *target;
  head_.version = *version;
  request_line_at_ = bytes.data();
  return {};
}

Checked<void> RequestParser::finish(std::string_view bytes) {
  if (request_line_at_ != bytes.data()) {
    if (auto taken = take_request_line(bytes); !taken) return taken;
  }
  scanner_.fill(head_.fields, bytes);
  head_.size = scanner_.size();
  return take_host()
      .and_then([this] { return take_framing(); })
      .and_then([this] { return take_connection(); })
      .and_then([this] { return take_expectation(); });
}

// RFC 9112 3.2.
Checked<void> RequestParser::take_host() {
  const std::size_t count = head_.fields.count(FieldName::kHost);
  if (count > 1) return bad_request("more than one Host");
  if (count == 0 && head_.version == Version::kHttp11) return bad_request("no Host");
  const std::string_view host = head_.fields.value(FieldName::kHost);
  if (!host.empty() && !parse_authority(host)) return bad_request("invalid Host");
  head_.authority = head_.target.authority.empty() ? host : head_.target.authority;
  return {};
}

// RFC 9112 6.1, 6.3.
Checked<void> RequestParser::take_framing() {
  const HeaderList& fields = head_.fields;
  if (fields.find(FieldName::kTransferEncoding) != nullptr) {
    if (fields.find(FieldName::kContentLength) != nullptr) {
      return bad_request("both Transfer-Encoding and Content-Length");
    }
    if (head_.version == Version::kHttp10) return bad_request("Transfer-Encoding in HTTP/1.0");
  }
  const auto coding = parse_transfer_encoding(fields);
  if (!coding) return tl::unexpected(coding.error());
  const auto length = parse_content_length(fields, EqualLengths::kRejected);
  if (!length) return tl::unexpected(length.error());
  if (*coding == TransferCoding::kChunked) {
    head_.body = {.kind = BodyKind::kChunked};
  } else if (*length) {
    head_.body = {.kind = BodyKind::kLength, .length = **length};
  } else {
    head_.body = {};
  }
  return {};
}

// RFC 9112 9.3, RFC 9110 7.8.
Checked<void> RequestParser::take_connection() {
  const ConnectionOptions options = parse_connection(head_.fields);
  if (options.others > scanner_.limits().fields) {
    return reject(StatusCode::kFieldsTooLarge, "Connection names too many fields");
  }
  const bool modern = head_.version == Version::kHttp11;
  const bool keeps = !options.close && (modern || options.keep_alive);
  head_.persistence = keeps ? Persistence::kKeepAlive : Persistence::kClose;
  head_.upgrade = UpgradeRequest::kNone;
  if (modern && head_.fields.find(FieldName::kUpgrade) != nullptr) {
    head_.upgrade = has_token(head_.fields, FieldName::kUpgrade, "websocket")
                        ? UpgradeRequest::kWebSocket
                        : UpgradeRequest::kOther;
  }
  return {};
}

// RFC 9110 10.1.1.
Checked<void> RequestParser::take_expectation() {
  head_.expectation = Expectation::kNone;
  for (const Field& field : head_.fields.all(FieldName::kExpect)) {
    for (std::string_view expectation : ListElements(field.value)) {
      if (!iequals(expectation, "100-continue")) {
        return reject(StatusCode::kExpectationFailed, "unknown expectation");
      }
      if (head_.version == Version::kHttp11) head_.expectation = Expectation::kContinue;
    }
  }
  return {};
}

const RequestHead& RequestParser::head() const {
  GONDOLIN_CHECK(progress_ == Progress::kComplete);
  return head_;
}

RequestParser::Partial RequestParser::partial(std::string_view bytes) const {
  Partial known;
  if (request_line_at_ == nullptr) return known;
  const std::string_view line = scanner_.start_line(bytes);
  known.method = line.substr(0, line.find(' '));
  scanner_.fill(known.fields, bytes);
  return known;
}

bool RequestParser::started() const {
  return scanner_.started();
}

void RequestParser::reset() {
  scanner_.reset();
  progress_ = Progress::kNeedMore;
  request_line_at_ = nullptr;
  rejection_.reset();
}

}  // namespace gondolin::http
