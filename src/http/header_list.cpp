// Header lists: known names are found once, when a field is added, by their
// length first, so that later questions compare one byte per field.
#include "http/header_list.hpp"

#include <algorithm>
#include <initializer_list>
#include <utility>

namespace gondolin::http {
namespace {

using Candidate = std::pair<std::string_view, FieldName>;

FieldName match(std::string_view name, std::initializer_list<Candidate> candidates) {
  for (const auto& [text, id] : candidates) {
    if (iequals(name, text)) return id;
  }
  return FieldName::kOther;
}

}  // namespace

FieldName known_field(std::string_view name) {
  using enum FieldName;
  switch (name.size()) {
    case 2:
      return match(name, {{"te", kTe}});
    case 3:
      return match(name, {{"via", kVia}});
    case 4:
      return match(name, {{"host", kHost}, {"date", kDate}});
    case 5:
      return match(name, {{"proxy", kProxy}});
    case 6:
      return match(name, {{"accept", kAccept}, {"expect", kExpect}, {"origin", kOrigin}});
    case 7:
      return match(name, {{"trailer", kTrailer}, {"upgrade", kUpgrade}});
    case 9:
      return match(name, {{"forwarded", kForwarded}});
    case 10:
      return match(name, {{"connection", kConnection}, {"keep-alive", kKeepAlive}});
    case 12:
      return match(name, {{"max-forwards", kMaxForwards}});
    case 14:
      return match(name, {{"content-length", kContentLength}});
    case 15:
      return match(name, {{"x-forwarded-for", kXForwardedFor}});
    case 16:
      return match(name,
                   {{"x-forwarded-host", kXForwardedHost}, {"proxy-connection", kProxyConnection}});
    case 17:
      return match(name, {{"transfer-encoding", kTransferEncoding},
                          {"x-forwarded-proto", kXForwardedProto},
                          {"sec-websocket-key", kSecWebSocketKey}});
    case 18:
      return match(name, {{"x-forwarded-prefix", kXForwardedPrefix},
                          {"proxy-authenticate", kProxyAuthenticate}});
    case 19:
      return match(name, {{"proxy-authorization", kProxyAuthorization}});
    case 21:
      return match(name, {{"sec-websocket-version", kSecWebSocketVersion}});
    default:
      return kOther;
  }
}

const Field* HeaderList::find(FieldName name) const {
  const auto found = std::ranges::find(fields_, name, &Field::id);
  return found == fields_.end() ? nullptr : &*found;
}

const Field* HeaderList::find(std::string_view name) const {
  const auto found = std::ranges::find_if(
      fields_, [name](const Field& field) { return iequals(field.name, name); });
  return found == fields_.end() ? nullptr : &*found;
}

std::string_view HeaderList::value(FieldName name) const {
  const Field* field = find(name);
  return field != nullptr ? field->value : std::string_view();
}

std::size_t HeaderList::count(FieldName name) const {
  return static_cast<std::size_t>(std::ranges::count(fields_, name, &Field::id));
}

std::size_t HeaderList::count(std::string_view name) const {
  return static_cast<std::size_t>(std::ranges::count_if(
      fields_, [name](const Field& field) { return iequals(field.name, name); }));
}

ListElements::Iterator& ListElements::Iterator::operator++() {
  element_ = {};
  while (rest_.data() != nullptr && element_.empty()) {
    const std::size_t comma = rest_.find(',');
    element_ = trim_blanks(rest_.substr(0, comma));
    rest_ = comma == std::string_view::npos ? std::string_view() : rest_.substr(comma + 1);
  }
  if (element_.empty()) element_ = {};
  return *this;
}

bool has_token(const HeaderList& fields, FieldName name, std::string_view token) {
  for (const Field& field : fields.all(name)) {
    for (std::string_view element : ListElements(field.value)) {
      if (iequals(element, token)) return true;
    }
  }
  return false;
}

}  // namespace gondolin::http
