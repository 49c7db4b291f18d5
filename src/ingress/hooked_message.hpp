// Requests and responses in the form that hooks see, and what hooks make of them.
//
// A hook's values are checked here, all of them: a line break or NUL in any of
// them, a method that is no token, a backend that is not the loopback are refused
// with a reason for the debug log, and the client is answered 502. Fields that are
// about framing or the connection are dropped when the head is written
// (http::ForwardFilter), so that no hook can break the framing of a message.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include <tl/expected.hpp>

#include "http/head_writer.hpp"
#include "http/request.hpp"
#include "http/response.hpp"
#include "ingress/answer.hpp"
#include "ingress/forwarding.hpp"
#include "ingress/hooks.hpp"

namespace gondolin::ingress {

// Nothing, or why a hook's values are refused.
using Verdict = tl::expected<void, std::string>;

// The request as is_allowed sees it: the client's fields.
[[nodiscard]] HookRequest hook_request(const http::RequestHead& head, const Forwarding& forwarding);

// The fields that the backend would get, as on_request sees them: without those of
// the connection, with Content-Length where that is known.
[[nodiscard]] OwnedFields backend_fields(const http::RequestHead& head,
                                         const Forwarding& forwarding);

// Changes `request` as the patch says. On a refusal it may be changed in part.
[[nodiscard]] Verdict apply_patch(const RequestPatch& patch, Upgrading upgrading,
                                  HookRequest& request);

// The head of a patched request; `head` is the client's. The text lives until the
// writer's next use.
[[nodiscard]] std::string_view write_hooked_head(http::HeadWriter& writer,
                                                 const HookRequest& request,
                                                 const http::RequestHead& head,
                                                 const Forwarding& forwarding);

// The response as on_response sees it, its body not read.
[[nodiscard]] HookResponse hook_response(const http::ResponseHead& head);

// As for requests. 1xx cannot become another status's, nor another status 1xx; the
// exception is a 101 that is not to be.
[[nodiscard]] Verdict apply_patch(const ResponsePatch& patch, HookResponse& response);

// `response` as a head that write_response_head() takes, viewing `response`; the
// rest is as in `original`.
[[nodiscard]] http::ResponseHead head_of(const HookResponse& response,
                                         const http::ResponseHead& original);

// What the client is answered when a hook refuses or fails; `reason` for the log.
struct HookRefusal {
  Answer answer;
  std::string reason;
};
[[nodiscard]] HookRefusal refusal_of(const HookError& error);

}  // namespace gondolin::ingress
