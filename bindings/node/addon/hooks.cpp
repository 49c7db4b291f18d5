#include "hooks.hpp"

#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "gondolin/error.hpp"
#include "routes.hpp"
#include "values.hpp"

namespace gondolin::node {
namespace {

// --- questions ----------------------------------------------------------------

// [name, value, name, value, ...], in the order of the message.
Napi::Array to_js(Napi::Env env, const std::vector<IngressHeader>& headers) {
  Napi::Array flat = Napi::Array::New(env, headers.size() * 2);
  std::uint32_t next = 0;
  for (const IngressHeader& header : headers) {
    flat.Set(next++, to_byte_string(env, header.name));
    flat.Set(next++, to_byte_string(env, header.value));
  }
  return flat;
}

Napi::Object to_js(Napi::Env env, const IngressRequest& request) {
  Napi::Object object = Napi::Object::New(env);
  object.Set("clientIp", request.client_ip);
  object.Set("method", to_byte_string(env, request.method));
  object.Set("path", to_byte_string(env, request.path));
  object.Set("headers", to_js(env, request.headers));
  object.Set("route", to_js_route(env, request.route));
  object.Set("backendHost", to_byte_string(env, request.backend_host));
  object.Set("backendPort", Napi::Number::New(env, request.backend_port));
  object.Set("backendTarget", to_byte_string(env, request.backend_target));
  return object;
}

Napi::Object to_js(Napi::Env env, const IngressResponse& response) {
  Napi::Object object = Napi::Object::New(env);
  object.Set("statusCode", Napi::Number::New(env, response.status));
  object.Set("statusMessage", to_byte_string(env, response.status_message));
  object.Set("headers", to_js(env, response.headers));
  if (response.body) {
    object.Set("body", Napi::Buffer<char>::Copy(env, response.body->data(), response.body->size()));
  }
  return object;
}

// --- answers ------------------------------------------------------------------

std::vector<IngressHeaderChange> read_changes(const Properties& patch) {
  std::vector<IngressHeaderChange> changes;
  std::optional<Napi::Array> flat = patch.array("headers");
  if (!flat) return changes;
  // [name, [value, ...], name, [value, ...], ...]
  for (std::uint32_t i = 0; i + 1 < flat->Length(); i += 2) {
    IngressHeaderChange change{from_byte_string(flat->Get(i), "a header's name"), {}};
    auto values = flat->Get(i + 1).As<Napi::Array>();
    for (std::uint32_t j = 0; j < values.Length(); ++j)
      change.values.push_back(from_byte_string(values.Get(j), "header " + change.name));
    changes.push_back(std::move(change));
  }
  return changes;
}

template <typename T>
T read_answer(Napi::Value value);

template <>
bool read_answer(Napi::Value value) {
  return value.ToBoolean();
}

template <>
IngressRequestPatch read_answer(Napi::Value value) {
  IngressRequestPatch patch;
  if (value.IsUndefined()) return patch;
  const Properties properties(value.As<Napi::Object>());
  patch.method = properties.byte_string("method");
  patch.backend_host = properties.byte_string("backendHost");
  if (auto port = properties.integer("backendPort", 1, 65535)) {
    patch.backend_port = static_cast<std::uint16_t>(*port);
  }
  patch.backend_target = properties.byte_string("backendTarget");
  patch.headers = read_changes(properties);
  patch.buffer_response_body = properties.flag("bufferResponseBody");
  if (auto size = properties.integer("maxBufferedResponseBodyBytes", 1, 1 << 30)) {
    patch.max_buffered_response_body_bytes = static_cast<std::size_t>(*size);
  }
  return patch;
}

template <>
IngressResponsePatch read_answer(Napi::Value value) {
  IngressResponsePatch patch;
  if (value.IsUndefined()) return patch;
  const Properties properties(value.As<Napi::Object>());
  if (auto status = properties.integer("statusCode", 200, 999)) {
    patch.status = static_cast<unsigned>(*status);
  }
  patch.status_message = properties.byte_string("statusMessage");
  patch.headers = read_changes(properties);
  patch.body = properties.bytes("body");
  return patch;
}

// What JavaScript holds of an open question; empty once it was answered.
struct Reply {
  std::variant<std::monostate, HookReply<bool>, HookReply<IngressRequestPatch>,
               HookReply<IngressResponsePatch>>
      reply;

  // Calls `use` with the HookReply, if there is one still, and lets go of it.
  template <typename Use>
  void settle(Use use) {
    auto mine = std::exchange(reply, std::monostate{});
    std::visit(
        [&use](auto& open) {
          if constexpr (!std::is_same_v<std::decay_t<decltype(open)>, std::monostate>) use(open);
        },
        mine);
  }
};

template <typename T>
Napi::Value to_js_reply(Napi::Env env, HookReply<T> reply) {
  auto owned = std::make_unique<Reply>(Reply{std::move(reply)});
  auto external = Napi::External<Reply>::New(
      env, owned.get(), [](Napi::Env, Reply* mine) { const std::unique_ptr<Reply> gone(mine); });
  owned.release();
  return external;
}

Reply& reply_of(const Napi::CallbackInfo& info) {
  return *info[0].As<Napi::External<Reply>>().Data();
}

template <typename T>
void answer(const HookReply<T>& reply, Napi::Value value) {
  try {
    reply.answer(read_answer<T>(value));
  } catch (const Napi::Error& error) {
    // A getter of the patch threw.
    reply.fail(std::make_exception_ptr(std::runtime_error(error.Message())));
  } catch (...) {
    reply.fail(std::current_exception());
  }
}

// replyAnswer(reply, value)
void reply_answer(const Napi::CallbackInfo& info) {
  reply_of(info).settle([&info](const auto& reply) { answer(reply, info[1]); });
}

// replyFail(reply, message)
void reply_fail(const Napi::CallbackInfo& info) {
  auto error = std::make_exception_ptr(std::runtime_error(info[1].ToString().Utf8Value()));
  reply_of(info).settle([&error](const auto& reply) { reply.fail(error); });
}

IngressRequestBlockedError read_blocked(const Properties& blocked) {
  return IngressRequestBlockedError(
      blocked.text("message").value_or(""),
      static_cast<unsigned>(blocked.integer("statusCode", 400, 599).value_or(403)),
      blocked.byte_string("statusMessage").value_or(""), blocked.text("body"));
}

// replyBlock(reply, { message, statusCode, statusMessage, body })
void reply_block(const Napi::CallbackInfo& info) {
  reply_of(info).settle([&info](const auto& reply) {
    try {
      reply.fail(std::make_exception_ptr(read_blocked(Properties(info[1].As<Napi::Object>()))));
    } catch (...) {
      reply.fail(std::current_exception());
    }
  });
}

// The asynchronous form of a hook that is `function`.
template <typename T, typename... Messages>
std::function<void(Messages..., HookReply<T>)> ask(const JsFunction& function) {
  return [function](Messages... messages, HookReply<T> reply) {
    function.call([... messages = std::move(messages), reply = std::move(reply)](Napi::Env env) {
      return std::vector<napi_value>{to_js(env, messages)..., to_js_reply(env, reply)};
    });
  };
}

}  // namespace

IngressHooks keep_hooks(KeptFunctions& kept, Napi::Object object) {
  const Properties properties(object);
  IngressHooks hooks;
  if (auto function = properties.function("isAllowed")) {
    hooks.async_is_allowed = ask<bool, IngressRequest>(kept.keep(*function));
  }
  if (auto function = properties.function("onRequest")) {
    hooks.async_on_request = ask<IngressRequestPatch, IngressRequest>(kept.keep(*function));
  }
  if (auto function = properties.function("onResponse")) {
    hooks.async_on_response =
        ask<IngressResponsePatch, IngressResponse, IngressRequest>(kept.keep(*function));
  }
  return hooks;
}

void export_replies(Napi::Env env, Napi::Object exports) {
  exports.Set("replyAnswer", Napi::Function::New(env, reply_answer));
  exports.Set("replyFail", Napi::Function::New(env, reply_fail));
  exports.Set("replyBlock", Napi::Function::New(env, reply_block));
}

}  // namespace gondolin::node
