// Hooks: conversions between the public structures and the gateway's, the plain forms in
// terms of the asynchronous ones, and exceptions as the errors that the gateway knows.

#include "api/hooks.hpp"

#include <exception>
#include <new>
#include <type_traits>
#include <utility>

#include "gondolin/error.hpp"
#include "http/chars.hpp"

namespace gondolin {

namespace {

std::optional<std::string_view> find_header(const std::vector<IngressHeader>& headers,
                                            std::string_view name) {
  for (const IngressHeader& header : headers) {
    if (http::iequals(header.name, name)) return header.value;
  }
  return std::nullopt;
}

}  // namespace

std::optional<std::string_view> IngressRequest::header(std::string_view name) const {
  return find_header(headers, name);
}
std::optional<std::string_view> IngressResponse::header(std::string_view name) const {
  return find_header(headers, name);
}

void IngressRequestPatch::set_header(std::string name, std::string value) {
  headers.push_back({std::move(name), {std::move(value)}});
}
void IngressRequestPatch::remove_header(std::string name) {
  headers.push_back({std::move(name), {}});
}
void IngressResponsePatch::set_header(std::string name, std::string value) {
  headers.push_back({std::move(name), {std::move(value)}});
}
void IngressResponsePatch::remove_header(std::string name) {
  headers.push_back({std::move(name), {}});
}

namespace api {

namespace {

std::vector<IngressHeader> to_headers(ingress::OwnedFields fields) {
  std::vector<IngressHeader> headers;
  headers.reserve(fields.size());
  for (ingress::OwnedField& field : fields)
    headers.push_back({std::move(field.name), std::move(field.value)});
  return headers;
}

std::vector<ingress::FieldChange> from_changes(std::vector<IngressHeaderChange> changes) {
  std::vector<ingress::FieldChange> converted;
  converted.reserve(changes.size());
  for (IngressHeaderChange& change : changes)
    converted.push_back({std::move(change.name), std::move(change.values)});
  return converted;
}

IngressRequest to_public(ingress::HookRequest request) {
  return {.client_ip = std::move(request.client_address),
          .method = std::move(request.method),
          .path = std::move(request.path),
          .headers = to_headers(std::move(request.fields)),
          .route = {.prefix = std::move(request.route.prefix),
                    .port = static_cast<std::uint16_t>(request.route.port),
                    .strip_prefix = request.route.strip == ingress::StripPrefix::kYes},
          .backend_host = std::move(request.backend_host),
          .backend_port = static_cast<std::uint16_t>(request.backend_port),
          .backend_target = std::move(request.backend_target)};
}

IngressResponse to_public(ingress::HookResponse response) {
  return {.status = http::to_number(response.status),
          .status_message = std::move(response.reason),
          .headers = to_headers(std::move(response.fields)),
          .body = std::move(response.body)};
}

bool from_public(bool allowed) {
  return allowed;
}

ingress::RequestPatch from_public(IngressRequestPatch patch) {
  ingress::RequestPatch converted{.method = std::move(patch.method),
                                  .backend_host = std::move(patch.backend_host),
                                  .backend_port = patch.backend_port,
                                  .backend_target = std::move(patch.backend_target),
                                  .fields = from_changes(std::move(patch.headers)),
                                  .buffering = std::nullopt,
                                  .max_buffered = patch.max_buffered_response_body_bytes};
  if (patch.buffer_response_body) {
    converted.buffering =
        *patch.buffer_response_body ? ingress::Buffering::kYes : ingress::Buffering::kNo;
  }
  return converted;
}

ingress::ResponsePatch from_public(IngressResponsePatch patch) {
  return {.status = patch.status,
          .reason = std::move(patch.status_message),
          .fields = from_changes(std::move(patch.headers)),
          .body = std::move(patch.body)};
}

ingress::HookError from_exception(const std::exception_ptr& error) {
  try {
    std::rethrow_exception(error);
  } catch (const IngressRequestBlockedError& blocked) {
    return ingress::Blocked{.message = blocked.what(),
                            .status = blocked.status(),
                            .reason = blocked.status_message(),
                            .body = blocked.body()};
  } catch (const std::exception& failure) {
    return std::string(failure.what());
  } catch (...) {
    return std::string("it threw something that is no std::exception");
  }
}

// `T` is the public answer, `Gateway` what the gateway makes of it.
template <typename Gateway, typename T>
ingress::HookResult<Gateway> from_outcome(HookOutcome<T> outcome) {
  try {
    if (auto* value = std::get_if<T>(&outcome)) return from_public(std::move(*value));
    return tl::unexpected(from_exception(std::get<std::exception_ptr>(outcome)));
  } catch (const std::bad_alloc&) {
    // So short that the string needs no memory.
    return tl::unexpected(ingress::HookError(std::string("out of memory")));
  }
}

// Whoever waits for the answer gets one, whatever runs out.
template <typename T, typename Gateway>
HookReply<T> reply_to(ingress::HookAnswer<Gateway> answer) {
  return HookReply<T>([answer = std::move(answer)](HookOutcome<T> outcome) {
    answer(from_outcome<Gateway, T>(std::move(outcome)));
  });
}

// The asynchronous form of a plain hook: calls it on `threads`.
template <typename T, typename... Messages>
std::function<void(Messages..., HookReply<T>)> on_threads(
    const std::function<T(const Messages&...)>& hook, std::shared_ptr<HookThreads> threads) {
  return [hook, threads = std::move(threads)](Messages... messages, HookReply<T> reply) {
    threads->run([hook, ... messages = std::move(messages), reply = std::move(reply)] {
      try {
        reply.answer(hook(messages...));
      } catch (...) {
        reply.fail(std::current_exception());
      }
    });
  };
}

// Whichever form is set, as an asynchronous one; empty if neither is.
template <typename T, typename... Messages>
std::function<void(Messages..., HookReply<T>)> either(
    const std::function<T(const Messages&...)>& plain,
    const std::type_identity_t<std::function<void(Messages..., HookReply<T>)>>& async,
    const std::shared_ptr<HookThreads>& threads) {
  return plain ? on_threads<T, Messages...>(plain, threads) : async;
}

template <typename T, typename Hook, typename... Messages>
void call(const Hook& hook, const HookReply<T>& reply, Messages... messages) {
  try {
    hook(std::move(messages)..., reply);
  } catch (...) {
    reply.fail(std::current_exception());
  }
}

void check_forms(const char* name, bool plain, bool async) {
  if (plain && async) {
    throw ApiError(ApiErrorCode::kInvalidArgument,
                   std::string("hooks: ") + name + " and async_" + name + " are both set");
  }
}

}  // namespace

void check_hooks(const IngressHooks& hooks) {
  check_forms("is_allowed", bool(hooks.is_allowed), bool(hooks.async_is_allowed));
  check_forms("on_request", bool(hooks.on_request), bool(hooks.async_on_request));
  check_forms("on_response", bool(hooks.on_response), bool(hooks.async_on_response));
  if (hooks.max_threads < 1 || hooks.max_threads > 1024) {
    throw ApiError(ApiErrorCode::kInvalidArgument, "hooks: max_threads must be 1 to 1024");
  }
}

ingress::Hooks to_gateway_hooks(const IngressHooks& hooks,
                                const std::shared_ptr<HookThreads>& threads) {
  ingress::Hooks converted;
  if (auto hook = either(hooks.is_allowed, hooks.async_is_allowed, threads)) {
    converted.is_allowed = [hook](ingress::HookRequest request, ingress::HookAnswer<bool> answer) {
      call(hook, reply_to<bool>(std::move(answer)), to_public(std::move(request)));
    };
  }
  if (auto hook = either(hooks.on_request, hooks.async_on_request, threads)) {
    converted.on_request = [hook](ingress::HookRequest request,
                                  ingress::HookAnswer<ingress::RequestPatch> answer) {
      call(hook, reply_to<IngressRequestPatch>(std::move(answer)), to_public(std::move(request)));
    };
  }
  if (auto hook = either(hooks.on_response, hooks.async_on_response, threads)) {
    converted.on_response = [hook](ingress::HookResponse response, ingress::HookRequest request,
                                   ingress::HookAnswer<ingress::ResponsePatch> answer) {
      call(hook, reply_to<IngressResponsePatch>(std::move(answer)), to_public(std::move(response)),
           to_public(std::move(request)));
    };
  }
  return converted;
}

}  // namespace api
}  // namespace gondolin
