// Nearly every message has only known options in Connection, so that most fields
// are decided by their id alone.
#include "http/forward.hpp"

#include "base/parse_number.hpp"
#include "http/framing.hpp"

namespace gondolin::http {
namespace {

constexpr std::string_view kXForwarded = "x-forwarded-";

bool is_x_forwarded(std::string_view name) {
  return name.size() > kXForwarded.size() &&
         iequals(name.substr(0, kXForwarded.size()), kXForwarded);
}

}  // namespace

ForwardFilter::ForwardFilter(const HeaderList& fields)
    : fields_(&fields), names_fields_(parse_connection(fields).others > 0) {}

ForwardFilter::ForwardFilter(const RequestHead& head) : ForwardFilter(head.fields) {
  version_ = head.version;
}

ForwardFilter::ForwardFilter(const ResponseHead& head) : ForwardFilter(head.fields) {}

bool ForwardFilter::keeps(const Field& field) const {
  switch (field.id) {
    case FieldName::kConnection:
    case FieldName::kKeepAlive:
    case FieldName::kProxy:
    case FieldName::kProxyAuthenticate:
    case FieldName::kProxyAuthorization:
    case FieldName::kProxyConnection:
    case FieldName::kTe:
    case FieldName::kTrailer:
    case FieldName::kTransferEncoding:
    case FieldName::kUpgrade:
    case FieldName::kContentLength:
      return false;
    case FieldName::kHost:
    case FieldName::kVia:
    case FieldName::kForwarded:
      return true;
    case FieldName::kExpect:
      if (version_ == Version::kHttp10) return false;
      [[fallthrough]];
    default:
      return !names_fields_ || is_x_forwarded(field.name) || !named_by_connection(field.name);
  }
}

bool ForwardFilter::named_by_connection(std::string_view name) const {
  return has_token(*fields_, FieldName::kConnection, name);
}

std::optional<std::uint64_t> hops_left(const RequestHead& head) {
  if (head.method != "OPTIONS" && head.method != "TRACE") return std::nullopt;
  return parse_decimal(head.fields.value(FieldName::kMaxForwards));
}

}  // namespace gondolin::http
