#include "ingress/hooked_message.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "base/debug_log.hpp"
#include "http/authority.hpp"
#include "http/chars.hpp"
#include "http/forward.hpp"
#include "ingress/router.hpp"

namespace gondolin::ingress {

using http::FieldName;
using http::StatusCode;

namespace {

tl::unexpected<std::string> refuse(std::string why) {
  return tl::unexpected<std::string>(std::move(why));
}

OwnedFields owned(const http::HeaderList& fields) {
  OwnedFields copies;
  copies.reserve(fields.size());
  for (const http::Field& field : fields)
    copies.push_back({std::string(field.name), std::string(field.value)});
  return copies;
}

http::HeaderList views(const OwnedFields& fields) {
  http::HeaderList list;
  for (const OwnedField& field : fields)
    list.add(field.name, field.value);
  return list;
}

bool is_loopback_name(std::string_view host) {
  return host == "127.0.0.1" || host == "::1" || host == "[::1]" ||
         http::iequals(host, "localhost");
}

bool is_target(std::string_view target, std::string_view method) {
  if (target == "*") return method == "OPTIONS";
  return target.starts_with('/') && std::ranges::all_of(target, http::is_target_byte);
}

Verdict check_change(const FieldChange& change) {
  if (!http::is_token(change.name)) {
    return refuse(fmt::format("'{}' is no field name", printable(change.name)));
  }
  for (const std::string& value : change.values) {
    if (!http::is_field_value(http::trim_blanks(value))) {
      return refuse(fmt::format("the value of {} holds a control byte", change.name));
    }
  }
  if (http::known_field(change.name) == FieldName::kHost && !change.values.empty()) {
    const bool valid = change.values.size() == 1 && http::parse_authority(change.values.front());
    if (!valid) return refuse("Host must be one host[:port]");
  }
  return {};
}

// The new values take the place of the first old one.
void apply_change(const FieldChange& change, OwnedFields& fields) {
  auto named = [&](const OwnedField& field) { return http::iequals(field.name, change.name); };
  auto first = std::ranges::find_if(fields, named);
  const auto place = first - fields.begin();
  fields.erase(std::remove_if(first, fields.end(), named), fields.end());
  OwnedFields added;
  for (const std::string& value : change.values)
    added.push_back({change.name, std::string(http::trim_blanks(value))});
  fields.insert(fields.begin() + place, added.begin(), added.end());
}

Verdict apply_changes(const std::vector<FieldChange>& changes, OwnedFields& fields) {
  for (const FieldChange& change : changes) {
    if (Verdict checked = check_change(change); !checked) return checked;
    apply_change(change, fields);
  }
  return {};
}

Verdict patch_backend(const RequestPatch& patch, HookRequest& request) {
  if (patch.backend_host) {
    if (!is_loopback_name(*patch.backend_host)) {
      return refuse(
          fmt::format("backend host '{}' is not the loopback", printable(*patch.backend_host)));
    }
    request.backend_host = *patch.backend_host;
  }
  if (patch.backend_port) {
    if (*patch.backend_port < 1 || *patch.backend_port > 65535) {
      return refuse(fmt::format("backend port {} is not 1 to 65535", *patch.backend_port));
    }
    request.backend_port = Port{static_cast<std::uint16_t>(*patch.backend_port)};
  }
  if (patch.backend_target) {
    if (!is_target(*patch.backend_target, request.method)) {
      return refuse(fmt::format("backend target '{}' is no path and query",
                                printable(*patch.backend_target)));
    }
    request.backend_target = *patch.backend_target;
  }
  return {};
}

}  // namespace

HookRequest hook_request(const http::RequestHead& head, const Forwarding& forwarding) {
  std::string target(forwarded_path(forwarding.route, forwarding.path));
  return {.client_address = std::string(forwarding.client_address),
          .method = std::string(head.method),
          .path = std::string(forwarding.path).append(head.target.query),
          .fields = owned(head.fields),
          .route = forwarding.route,
          .backend_port = forwarding.route.port,
          .backend_target = std::move(target.append(head.target.query))};
}

OwnedFields backend_fields(const http::RequestHead& head, const Forwarding& forwarding) {
  OwnedFields fields = forwarded_fields(head, forwarding);
  if (head.body.kind == http::BodyKind::kLength) {
    fields.push_back({"Content-Length", std::to_string(head.body.length)});
  }
  return fields;
}

Verdict apply_patch(const RequestPatch& patch, Upgrading upgrading, HookRequest& request) {
  if (patch.method) {
    if (!http::is_token(*patch.method) || *patch.method == "CONNECT") {
      return refuse(fmt::format("'{}' is no method to forward", printable(*patch.method)));
    }
    if (upgrading == Upgrading::kWebSocket && *patch.method != "GET") {
      return refuse("a WebSocket's handshake is a GET");
    }
    request.method = *patch.method;
  }
  if (Verdict patched = patch_backend(patch, request); !patched) return patched;
  return apply_changes(patch.fields, request.fields);
}

std::string_view write_hooked_head(http::HeadWriter& writer, const HookRequest& request,
                                   const http::RequestHead& head, const Forwarding& forwarding) {
  writer.begin_request(request.method, {request.backend_target});
  const http::HeaderList fields = views(request.fields);
  const http::ForwardFilter filter(fields);
  if (fields.find(FieldName::kHost) == nullptr) {
    writer.field("Host", forwarding.gateway_authority);
  }
  for (const http::Field& field : fields) {
    // Whether the client waits for a 100 is not the hook's to say.
    if (field.id != FieldName::kExpect && filter.keeps(field))
      writer.field(field.name, field.value);
  }
  if (head.expectation == http::Expectation::kContinue) writer.field("Expect", "100-continue");
  writer.framing(head.body);
  write_connection(writer, forwarding.upgrading);
  return writer.finish();
}

HookResponse hook_response(const http::ResponseHead& head) {
  HookResponse response{
      .status = head.status, .reason = std::string(head.reason), .fields = {}, .body = {}};
  const http::ForwardFilter filter(head);
  for (const http::Field& field : head.fields) {
    if (filter.keeps(field)) {
      response.fields.push_back({std::string(field.name), std::string(field.value)});
    }
  }
  if (head.content_length) {
    response.fields.push_back({"Content-Length", std::to_string(*head.content_length)});
  }
  return response;
}

Verdict apply_patch(const ResponsePatch& patch, HookResponse& response) {
  if (patch.status && *patch.status != http::to_number(response.status)) {
    if (*patch.status < 200 || *patch.status > 999) {
      return refuse(fmt::format("{} is no status of a final response", *patch.status));
    }
    response.status = static_cast<StatusCode>(*patch.status);
    response.reason = http::reason_phrase(response.status);
  }
  if (patch.reason) {
    if (!http::is_field_value(*patch.reason)) return refuse("the status message cannot be sent");
    response.reason = *patch.reason;
  }
  if (patch.body) response.body = patch.body;
  return apply_changes(patch.fields, response.fields);
}

http::ResponseHead head_of(const HookResponse& response, const http::ResponseHead& original) {
  http::ResponseHead head;
  head.status = response.status;
  head.reason = response.reason;
  head.fields = views(response.fields);
  head.body = original.body;
  head.content_length = original.content_length;
  head.size = original.size;
  return head;
}

HookRefusal refusal_of(const HookError& error) {
  HookRefusal failure{.answer = {.status = StatusCode::kBadGateway,
                                 .line = std::string(default_line(StatusCode::kBadGateway))},
                      .reason = {}};
  if (const auto* what = std::get_if<std::string>(&error)) {
    failure.reason = "a hook failed: " + *what;
    return failure;
  }
  const auto& blocked = std::get<Blocked>(error);
  if (blocked.status < 400 || blocked.status > 599 || !http::is_field_value(blocked.reason)) {
    failure.reason = fmt::format("a hook blocked the request with status {} '{}', which cannot be",
                                 blocked.status, blocked.reason);
    return failure;
  }
  const auto status = static_cast<StatusCode>(blocked.status);
  return {.answer = {.status = status,
                     .line = std::string(default_line(status)),
                     .reason = blocked.reason,
                     .body = blocked.body},
          .reason = "a hook blocked the request: " + blocked.message};
}

}  // namespace gondolin::ingress
