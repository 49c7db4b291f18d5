#include "ingress/forwarding.hpp"

#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <utility>

#include "http/forward.hpp"
#include "ingress/router.hpp"

namespace gondolin::ingress {

using http::FieldName;

namespace {

// What the gateway says itself, whatever the client said.
bool is_replaced(FieldName name) {
  switch (name) {
    case FieldName::kXForwardedFor:
    case FieldName::kXForwardedHost:
    case FieldName::kXForwardedPrefix:
    case FieldName::kXForwardedProto:
      return true;
    default:
      return false;
  }
}

// Takes fields as a HeadWriter does, and keeps them.
class FieldCollector {
 public:
  void field(std::string_view name, std::initializer_list<std::string_view> value) {
    OwnedField& added = fields_.emplace_back(std::string(name), std::string());
    for (std::string_view piece : value)
      added.value.append(piece);
  }
  void field(std::string_view name, std::string_view value) { field(name, {value}); }

  [[nodiscard]] OwnedFields take() { return std::move(fields_); }

 private:
  OwnedFields fields_;
};

template <typename Writer>
void write_forwarded_for(Writer& writer, const http::HeaderList& fields,
                         std::string_view client_address) {
  if (fields.find(FieldName::kXForwardedFor) == nullptr) {
    writer.field("X-Forwarded-For", client_address);
    return;
  }
  std::string chain;
  for (const http::Field& field : fields.all(FieldName::kXForwardedFor)) {
    if (!field.value.empty()) chain.append(field.value).append(", ");
  }
  writer.field("X-Forwarded-For", {chain, client_address});
}

// The client's own fields.
template <typename Writer>
void write_fields(Writer& writer, const http::RequestHead& head, const Forwarding& forwarding) {
  const bool absolute = head.target.form == http::TargetForm::kAbsolute;
  const http::ForwardFilter filter(head);
  const std::optional<std::uint64_t> hops = http::hops_left(head);
  if (head.fields.find(FieldName::kHost) == nullptr) {
    writer.field("Host", absolute ? head.authority : forwarding.gateway_authority);
  }
  for (const http::Field& field : head.fields) {
    if (is_replaced(field.id) || !filter.keeps(field)) continue;
    if (field.id == FieldName::kHost && absolute) {
      writer.field(field.name, head.authority);
    } else if (field.id == FieldName::kMaxForwards && hops) {
      writer.field(field.name, std::to_string(*hops - 1));
    } else {
      writer.field(field.name, field.value);
    }
  }
}

// What the gateway adds to them.
template <typename Writer>
void write_forwarded(Writer& writer, const http::RequestHead& head, const Forwarding& forwarding) {
  write_forwarded_for(writer, head.fields, forwarding.client_address);
  if (!head.authority.empty()) writer.field("X-Forwarded-Host", head.authority);
  writer.field("X-Forwarded-Proto", "http");
  if (strips(forwarding.route)) writer.field("X-Forwarded-Prefix", forwarding.route.prefix);
  writer.field("Via", "1.1 gondolin");
}

}  // namespace

std::string_view write_request_head(http::HeadWriter& writer, const http::RequestHead& head,
                                    const Forwarding& forwarding) {
  writer.begin_request(head.method,
                       {forwarded_path(forwarding.route, forwarding.path), head.target.query});
  write_fields(writer, head, forwarding);
  writer.framing(head.body);
  write_forwarded(writer, head, forwarding);
  write_connection(writer, forwarding.upgrading);
  return writer.finish();
}

OwnedFields forwarded_fields(const http::RequestHead& head, const Forwarding& forwarding) {
  FieldCollector collector;
  write_fields(collector, head, forwarding);
  write_forwarded(collector, head, forwarding);
  return collector.take();
}

void write_connection(http::HeadWriter& writer, Upgrading upgrading) {
  if (upgrading == Upgrading::kWebSocket) {
    writer.field("Connection", "Upgrade");
    writer.field("Upgrade", "websocket");
  } else {
    writer.field("Connection", "close");
  }
}

std::string_view write_response_head(http::HeadWriter& writer, const http::ResponseHead& head,
                                     const http::BodyFraming& framing, ConnectionNote note,
                                     std::string_view date) {
  writer.begin_response(head.status, head.reason);
  const http::ForwardFilter filter(head);
  for (const http::Field& field : head.fields) {
    if (filter.keeps(field)) writer.field(field.name, field.value);
  }
  if (!date.empty() && head.fields.find(FieldName::kDate) == nullptr) writer.field("Date", date);
  if (framing.kind != http::BodyKind::kNone) {
    writer.framing(framing);
  } else if (head.content_length) {
    writer.content_length(*head.content_length);
  }
  switch (note) {
    case ConnectionNote::kNone:
      break;
    case ConnectionNote::kKeepAlive:
      writer.field("Connection", "keep-alive");
      break;
    case ConnectionNote::kClose:
      writer.field("Connection", "close");
      break;
    case ConnectionNote::kUpgrade:
      writer.field("Connection", "Upgrade");
      writer.field("Upgrade", "websocket");
      break;
  }
  return writer.finish();
}

}  // namespace gondolin::ingress
